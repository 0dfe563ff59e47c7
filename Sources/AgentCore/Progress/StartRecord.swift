/// How one start went: seconds from the exec to the first sign of each phase, and to READY.
package struct StartRecord: Equatable, Sendable {
    package var offsets: [Phase: Double]
    package var ready: Double

    package init(offsets: [Phase: Double], ready: Double) {
        self.offsets = offsets
        self.ready = ready
    }
}

/// Starts that can be compared. A start that is the first since boot reads Python and weights from a cold disk.
package struct StartKey: Hashable, Sendable {
    package var model: String
    package var vllm: String
    package var gpu: String
    package var isFirstSinceBoot: Bool

    package init(model: String, vllm: String, gpu: String, isFirstSinceBoot: Bool) {
        self.model = model
        self.vllm = vllm
        self.gpu = gpu
        self.isFirstSinceBoot = isFirstSinceBoot
    }
}

/// What earlier starts took, kept on disk. Holds at most `keyLimit` keys of `recordLimit` starts; the key that was
/// used longest ago makes room.
package struct StartHistory: Equatable, Sendable {
    package struct Entry: Equatable, Sendable {
        package var key: StartKey
        /// Oldest first.
        package var records: [StartRecord]

        package init(key: StartKey, records: [StartRecord]) {
            self.key = key
            self.records = records
        }
    }

    package static let keyLimit = 64
    package static let recordLimit = 5

    /// The one used last stands at the end.
    package private(set) var entries: [Entry]

    package init(entries: [Entry] = []) {
        self.entries = entries.suffix(Self.keyLimit).map {
            Entry(key: $0.key, records: $0.records.suffix(Self.recordLimit))
        }
    }

    package mutating func learn(_ record: StartRecord, for key: StartKey) {
        let earlier = entries.first { $0.key == key }?.records ?? []
        self = StartHistory(
            entries: entries.filter { $0.key != key } + [Entry(key: key, records: earlier + [record])])
    }

    /// nil when there was no such start.
    package func expectation(for key: StartKey) -> StartExpectation? {
        entries.first { $0.key == key }.flatMap { StartExpectation(of: $0.records) }
    }
}
