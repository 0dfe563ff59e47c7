internal import Locking

/// What became of an event.
package enum EventOutcome: Equatable, Sendable {
    case accepted
    /// It had arrived before, or is older than what is kept.
    case duplicate
}

/// What became of the events of one request.
package struct StoredEvents: Equatable, Sendable {
    /// In their order.
    package var outcomes: [EventOutcome]
    /// The sequence of the newest event that is known of the node.
    package var newest: Int64?

    /// Where the node is now, by one of `events`; nil where they say nothing of that, or are late.
    func state(_ events: [ReportedEvent]) -> String? {
        events.last { $0.sequence == newest }?.state
    }
}

/// More events wait for the disk than there is room for. The node sends them again.
package struct StoreOverloaded: Error, Equatable, Sendable {
    package init() {}
}

/// Events that wait for the next transaction.
///
/// A commit costs a sync of the disk, however many events are in it: while one is under way, those of other nodes
/// gather here and share the next one. What does not fit is refused, so that a slow disk cannot fill the memory.
package final class EventQueue: Sendable {
    package struct Entry: Sendable {
        var node: String
        var events: [ReportedEvent]
        /// Events to keep of the node.
        var kept: Int
        var done: @Sendable (Result<StoredEvents, any Error>) -> Void

        package init(
            node: String, events: [ReportedEvent], kept: Int,
            done: @escaping @Sendable (Result<StoredEvents, any Error>) -> Void
        ) {
            self.node = node
            self.events = events
            self.kept = kept
            self.done = done
        }

        var bytes: Int { events.reduce(0) { $0 + $1.text.utf8.count } }
    }

    private struct State {
        var waiting: [Entry] = []
        var bytes = 0
        /// Somebody is going to take what waits.
        var isScheduled = false
        var commits = 0
    }

    /// Requests of one transaction. More would keep the first of them waiting longer than the sync saves.
    package static let entriesPerCommit = 256

    private let state = Mutex(State())
    private let maximumEntries: Int
    private let maximumBytes: Int

    package init(maximumEntries: Int = 16_384, maximumBytes: Int = 64 << 20) {
        self.maximumEntries = maximumEntries
        self.maximumBytes = maximumBytes
    }

    /// True where the caller has to see to it that `take` is called.
    package func add(_ entry: Entry) throws(StoreOverloaded) -> Bool {
        let bytes = entry.bytes
        return try state.withLock { state throws(StoreOverloaded) in
            guard state.waiting.count < maximumEntries, state.bytes + bytes <= maximumBytes else {
                throw StoreOverloaded()
            }
            state.waiting.append(entry)
            state.bytes += bytes
            defer { state.isScheduled = true }
            return !state.isScheduled
        }
    }

    /// The next transaction's; none where nothing waits, and then `add` asks to be scheduled again.
    package func take() -> [Entry] {
        state.withLock { state in
            let taken = Array(state.waiting.prefix(Self.entriesPerCommit))
            state.waiting.removeFirst(taken.count)
            state.bytes -= taken.reduce(0) { $0 + $1.bytes }
            if taken.isEmpty { state.isScheduled = false } else { state.commits += 1 }
            return taken
        }
    }

    /// Requests that wait, and transactions made.
    package var figures: (waiting: Int, commits: Int) {
        state.withLock { ($0.waiting.count, $0.commits) }
    }
}
