/// What a store that was looked at means for a start.
///
/// Fatal is only what the engine itself would die of, or what it would serve garbage with (a shard that is missing: the
/// streamer reads what is there and never asks the index). A store that is slow, busy or answers oddly is a warning:
/// the engine has more patience than there is before a start.
package struct StoreJudge: Sendable {
    let store: ObservedStore
    let assignment: Assignment
    /// What is done with these weights.
    package enum Use: Sendable {
        /// Every top-level `*.safetensors` is read.
        case streamed
        /// Every rank's own files are.
        case streamedByRank
        /// Those that the index names are.
        case downloaded
        /// Somebody's own loader decides: they can only be warned about.
        case unknown
    }

    let use: Use
    /// Seconds since 1970.
    let wallTime: Double
    /// Seconds since 1970 at which the credentials expire.
    let expiresAt: Double?

    package init(
        _ store: ObservedStore, for assignment: Assignment, use: Use, wallTime: Double, expiresAt: Double? = nil
    ) {
        self.store = store
        self.assignment = assignment
        self.use = use
        self.wallTime = wallTime
        self.expiresAt = expiresAt
    }

    package func findings() -> [PreflightFinding] {
        let clock = clockFinding
        guard case .objects = store.listing else { return [listingFinding, clock].compactMap { $0 } }
        var findings = [
            .ok(.endpoint, "\(store.endpoint) answers\(firstByte)"), credentialsFinding,
            .ok(.bucket, "\(store.bucket) is there"),
        ]
        if let clock { findings.append(clock) }
        guard !store.objects.isEmpty else { return findings + [modelMissing] }
        findings.append(.ok(.model, "\(store.objects.count) objects below \(store.address)"))
        return findings + files + weights
    }

    private var firstByte: String {
        store.firstByteSeconds.map { ", first byte after \(Int(($0 * 1000).rounded())) ms" } ?? ""
    }

    // MARK: The store itself

    private var listingFinding: PreflightFinding {
        guard case .trouble(let trouble) = store.listing else { return .ok(.endpoint, store.endpoint) }
        switch trouble {
        case .refused(let status, let code): return refused(status, code)
        case .notUnderstood(let reason):
            return .warn(
                .endpoint, .endpointUnreachable, "\(store.endpoint) does not answer like an S3 store: \(reason)")
        case .noAnswer(let failure): return noAnswer(failure)
        }
    }

    private func noAnswer(_ failure: HTTPFailure) -> PreflightFinding {
        let message = "\(store.endpoint) cannot be reached: \(failure.message)"
        switch failure.kind {
        case .resolve, .connect: return .fatal(.endpoint, .endpointUnreachable, message)
        // The engine may trust authorities that the agent does not know of (AWS_CA_BUNDLE).
        case .tls: return .warn(.endpoint, .endpointUnreachable, message)
        case .timeout, .truncated, .tooLarge, .cancelled, .other: return .warn(.endpoint, .endpointStalled, message)
        }
    }

    private func refused(_ status: Int, _ code: String?) -> PreflightFinding {
        let words = StoreTrouble.refused(status: status, code: code).words
        let said = "the store refused to list \(store.address): \(words)"
        switch code {
        case "NoSuchBucket":
            return .fatal(.bucket, .bucketMissing, "there is no bucket \(store.bucket) at \(store.endpoint)")
        case "InvalidBucketName":
            return .fatal(.bucket, .bucketMissing, "\(store.bucket) is no name of a bucket (\(store.endpoint))")
        case "RequestTimeTooSkewed":
            return .fatal(.clock, .clockSkewed, "\(said); \(skewInWords)")
        default: break
        }
        switch status {
        case 400, 401, 403: return .fatal(.credentials, .credentialsRejected, said)
        case 404: return .fatal(.bucket, .bucketMissing, said)
        default: return .warn(.endpoint, .endpointUnreachable, said)
        }
    }

    private var credentialsFinding: PreflightFinding {
        guard let expiresAt else { return .ok(.credentials, "accepted") }
        let left = expiresAt - wallTime
        // Half an hour: the slowest of starts, and one more after a failure.
        guard left < 1800 else { return .ok(.credentials, "accepted, for another \(Int(left / 60)) min") }
        return .warn(
            .credentials, .credentialsRejected,
            left > 0 ? "they expire in \(Int(left / 60)) min" : "they are past their expires_at",
            remedy: "Send a new assignment generation with fresh credentials.")
    }

    private var clockFinding: PreflightFinding? {
        guard let ahead = store.clockAhead else { return nil }
        // A Date header has whole seconds; S3 refuses from 15 minutes on.
        guard abs(ahead) >= 60 else { return .ok(.clock, "agrees with the store's") }
        return .warn(.clock, .clockSkewed, skewInWords)
    }

    private var skewInWords: String {
        guard let ahead = store.clockAhead else { return "the store does not tell its own time" }
        return "this machine's clock is \(Int(abs(ahead).rounded())) s \(ahead > 0 ? "behind" : "ahead of") the store's"
    }

    private var modelMissing: PreflightFinding {
        .fatal(.model, .modelMissing, "there is nothing below \(store.address)")
    }

    // MARK: Files beside the weights

    private var files: [PreflightFinding] {
        let names = Set(store.objects.map(\.name))
        return [configuration(names), tokenizer(names)]
    }

    private func configuration(_ names: Set<String>) -> PreflightFinding {
        if let name = ["config.json", "params.json"].first(where: names.contains) { return .ok(.configuration, name) }
        let message = "there is no config.json (nor params.json) below \(store.address)"
        let isElsewhere = assignment.extraArguments.contains { $0.hasPrefix("--hf-config-path") }
        return isElsewhere || !isCompleteListing
            ? .warn(.configuration, .modelMissing, message) : .fatal(.configuration, .modelMissing, message)
    }

    private func tokenizer(_ names: Set<String>) -> PreflightFinding {
        let known = ["tokenizer.json", "tokenizer.model", "tekken.json", "vocab.json", "spiece.model", "vocab.txt"]
        let found = known.first(where: names.contains) ?? names.first { $0.hasSuffix(".tiktoken") }
        if let found { return .ok(.tokenizer, found) }
        // There are models without one, and arguments that name another.
        return .warn(.tokenizer, .modelMissing, "there is no tokenizer below \(store.address)")
    }

    var isCompleteListing: Bool {
        if case .objects(_, let isComplete) = store.listing { isComplete } else { false }
    }
}
