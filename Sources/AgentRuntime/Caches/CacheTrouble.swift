internal import AgentCore

/// Why caches are not carried this time.
enum CacheTrouble: Error, Equatable {
    case refused(CacheFault)
    case failed(String)

    var words: String {
        switch self {
        case .refused(let fault): "what is in the store has \(fault.reason)"
        case .failed(let reason): reason
        }
    }
}

func believing(_ bytes: [UInt8], _ key: String, _ secret: Secret, _ signer: any MessageSigner)
    throws(CacheTrouble) -> CacheManifest
{
    do throws(CacheFault) {
        return try CacheManifest(bytes, for: key, secret: secret, signer)
    } catch {
        throw .refused(error)
    }
}

func asking<Answer>(
    _ question: () async throws(StoreTrouble) -> Answer
) async throws(CacheTrouble) -> Answer {
    do throws(StoreTrouble) {
        return try await question()
    } catch {
        throw .failed("the store: \(error.words)")
    }
}

func filing(_ work: () async throws(FileFailure) -> Void) async throws(CacheTrouble) {
    do throws(FileFailure) {
        try await work()
    } catch {
        throw .failed(error.message)
    }
}
