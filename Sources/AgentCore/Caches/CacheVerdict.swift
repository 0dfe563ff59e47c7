/// Whether a start has used the caches that were carried for it, and if not, why. Told once, after READY.
package struct CacheVerdict: Equatable, Sendable {
    package enum Outcome: String, CaseIterable, Sendable {
        /// The engine has loaded what it would have compiled.
        case used
        /// They were in place, and the engine compiled all the same.
        case notUsed = "not_used"
        /// They were in place, and it neither said that it loaded them nor made any of its own, such as one that
        /// compiles nothing.
        case unproven
        /// Nobody has carried any for this key.
        case absent
        /// They were there, and are not believed.
        case refused
        case failed
        /// Given up, so that the start was not held up.
        case late
    }

    private static let namesAtMost = 16

    package var outcome: Outcome
    /// What they are stored under: 64 hexadecimal digits.
    package var key: String
    /// In place before the start.
    package var files = 0
    package var bytes: UInt64 = 0
    /// Compiled by this start, although caches were in place.
    package var compiledFiles = 0
    /// Names of the factors in which this start differs from what was carried, or from the nearest start that has any.
    package private(set) var differences: [String] = []
    /// Why they could not be had; nil where they could, or nobody has any.
    package var reason: String?

    package init(_ outcome: Outcome, key: String, reason: String? = nil) {
        self.outcome = outcome
        self.key = key
        self.reason = reason
    }

    /// What became of them before the start; whether those in place were used is not known from that.
    package init(after restoration: CacheRestoration, key: String) {
        switch restoration {
        case .absent: self.init(.absent, key: key)
        case .restored(let files, let bytes):
            self.init(.notUsed, key: key)
            (self.files, self.bytes) = (files, bytes)
        case .refused(let fault): self.init(.refused, key: key, reason: "what is in the store has \(fault.reason)")
        case .failed(let reason): self.init(.failed, key: key, reason: reason)
        case .late: self.init(.late, key: key, reason: "not there in time")
        }
    }

    package mutating func judge(_ use: CacheUse) {
        switch use {
        case .loaded: outcome = .used
        case .nothingNew: outcome = .unproven
        case .compiled(let newFiles):
            outcome = .notUsed
            compiledFiles = newFiles
        }
    }

    /// vLLM names its own; there is no end to them in a file that is not its.
    package mutating func name(differences names: [String]) {
        differences = names.prefix(Self.namesAtMost).map { String($0.prefix(128)) }
    }
}
