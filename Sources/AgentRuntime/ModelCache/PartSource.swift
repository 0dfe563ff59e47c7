internal import AgentCore
internal import AgentWire

/// Where a part comes from: the store, or for small files the cache in front of it.
struct PartSource: Sendable {
    /// What Cloudflare and others keep in their caches without being told to, and what configuration and tokenizer have.
    private static let largestCached: UInt64 = 64 << 20
    private static let stall = Duration.seconds(20)
    /// Bounds a request that trickles: 16 MiB in this time are 56 kB/s.
    private static let longest = Duration.seconds(300)
    private static let tries = 4
    private static let firstDelay = Duration.milliseconds(500)

    let requests: S3Requests
    /// Of the model in its bucket; ends with a slash.
    let prefix: String
    /// The domain of the cache; nil where there is none.
    let cdn: String?
    let fetcher: any ObjectFetcher
    let folder: String

    /// Whether the file comes from the cache at first.
    func isCached(_ file: ModelFile) -> Bool {
        cdn != nil && !file.isWeights && DownloadPlan.parts(of: file) == 1 && file.bytes <= Self.largestCached
    }

    /// Puts the part where it belongs. `arrived` is told of bytes, and of negative ones when a try came to nothing.
    func fetch(
        _ part: DownloadPart, arrived: @escaping @Sendable (Int) -> Void
    ) async throws(FailureReport) {
        var delay = Self.firstDelay
        for attempt in 1... {
            do throws(DownloadTrouble) {
                return try await once(part, request(part), arrived: arrived)
            } catch {
                guard error.mayPass, attempt < Self.tries, !Task.isCancelled else { throw error.report }
            }
            try? await Task.sleep(for: delay)
            delay = delay * 2
        }
    }

    /// The same from the cache, once: what it does not have, or has otherwise, the store gives.
    func fetchCached(_ part: DownloadPart, arrived: @escaping @Sendable (Int) -> Void) async -> Bool {
        guard let cdn else { return false }
        let base = cdn.contains("://") ? cdn : "https://\(cdn)"
        let path = SigV4.percentEncoded(prefix + part.file.name, keepingSlashes: true)
        var request = HTTPRequest(.get, "\(base)/\(path)", timeout: .seconds(10))
        request.mayUseProxy = true
        request.maximumResponseBytes = Int(part.file.bytes)
        do throws(DownloadTrouble) {
            try await once(part, request, isOfStore: false, arrived: arrived)
            return true
        } catch {
            return false
        }
    }

    private func request(_ part: DownloadPart) -> HTTPRequest {
        var request = requests.get(prefix + part.file.name, range: part.range)
        request.timeout = Self.longest
        request.stallTimeout = Self.stall
        return request
    }

    private func once(
        _ part: DownloadPart, _ request: HTTPRequest, isOfStore: Bool = true,
        arrived: @escaping @Sendable (Int) -> Void
    ) async throws(DownloadTrouble) {
        let name = part.file.name
        let count = ByteTally(arrived)
        let path = "\(folder)/\(name)\(ModelFile.partSuffix)"
        let answer: HTTPResponse
        do throws(FetchFailure) {
            answer = try await fetcher.fetch(request, into: path, at: part.range.lowerBound, arrived: count.add)
        } catch {
            count.takeBack()
            switch error {
            case .network(let failure): throw DownloadTrouble(failure, of: name)
            case .disk(let failure): throw DownloadTrouble(failure)
            }
        }
        if let trouble = judge(answer, part, isOfStore: isOfStore, count: count.total) {
            count.takeBack()
            throw trouble
        }
    }

    private func judge(
        _ answer: HTTPResponse, _ part: DownloadPart, isOfStore: Bool, count: Int
    ) -> DownloadTrouble? {
        guard answer.status / 100 == 2 else {
            return DownloadTrouble(status: answer.status, code: S3Listing.errorCode(answer.body), of: part.file.name)
        }
        // A whole object in answer to a range is right where the range is the whole object.
        guard answer.status == 206 || part.bytes == part.file.bytes else {
            return DownloadTrouble(HTTPFailure(.tooLarge, "the store ignores ranges"), of: part.file.name)
        }
        guard count == Int(part.bytes) else {
            return DownloadTrouble(HTTPFailure(.truncated, "it sent \(count) of \(part.bytes) bytes"), of: part.file.name)
        }
        if isOfStore, let tag = part.file.tag, let now = answer.headers["etag"].flatMap(StoredObject.tag), now != tag {
            return DownloadTrouble(changed: part.file.name)
        }
        return nil
    }
}
