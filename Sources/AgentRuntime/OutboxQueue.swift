internal import AgentCore

/// The events that nobody has taken yet, in order. A value: it knows neither disk nor network.
struct OutboxQueue: Sendable {
    /// Beyond this the oldest phase events would help nobody; the network has been away for hours.
    static let capacity = 4096

    private(set) var events: [OutboxEvent] = []
    private var nextSequence: UInt64 = 1
    /// Dropped events whose files are still there; never more than files.
    private var discarded: [UInt64] = []

    /// Takes over what an earlier agent left; `last` is the highest number ever used.
    mutating func takeOver(_ recovered: [OutboxEvent], last: UInt64) {
        events = recovered
        nextSequence = last + 1
    }

    /// Renders one event under the next sequence number and queues it.
    ///
    /// In a full outbox the oldest phase makes room, which says the least, then what is told in passing, then the
    /// oldest event of all. Answers how many events were dropped.
    mutating func add(_ kind: ReportKind, id: String, for callbackURL: String?, render: (UInt64) -> [UInt8]) -> Int {
        var dropped = 0
        if events.count >= Self.capacity {
            dropped = 1
            // The first one is being sent.
            let others = events.indices.dropFirst()
            let phase = others.first { events[$0].kind == .phase }
            let passing = phase ?? others.first { !events[$0].isDecisive }
            guard let oldest = passing ?? others.first else { return dropped }
            if events[oldest].isStored { discarded.append(events[oldest].sequence) }
            events.remove(at: oldest)
        }
        events.append(
            OutboxEvent(
                sequence: nextSequence, id: id, body: render(nextSequence), kind: kind, callbackURL: callbackURL))
        nextSequence += 1
        return dropped
    }

    mutating func remove(_ sequence: UInt64) {
        events.removeAll { $0.sequence == sequence }
    }

    /// Those behind it go on.
    mutating func setAside(_ sequence: UInt64) {
        guard let index = events.firstIndex(where: { $0.sequence == sequence }) else { return }
        events[index].isDeferred = true
    }

    mutating func setAsideAll(for callbackURL: String?, through newest: UInt64) {
        for index in events.indices
        where events[index].callbackURL == callbackURL && events[index].sequence <= newest {
            events[index].isDeferred = true
        }
    }

    /// Those that were set aside wait again, each in its place. Answers whether there are any.
    mutating func takeUpAgain() -> Bool {
        var isAny = false
        for index in events.indices where events[index].isDeferred {
            events[index].isDeferred = false
            isAny = true
        }
        return isAny
    }

    /// At most `limit` of them, up to the first that is for somebody else or `taken` already.
    func next(_ limit: Int, for callbackURL: String?, except taken: Set<UInt64>) -> [OutboxEvent] {
        var next: [OutboxEvent] = []
        for event in events where !event.isDeferred {
            guard next.count < limit, event.callbackURL == callbackURL, !taken.contains(event.sequence) else { break }
            next.append(event)
        }
        return next
    }

    /// The next to be delivered.
    var firstWaiting: OutboxEvent? { events.first { !$0.isDeferred } }
    var deferredCount: Int { events.count { $0.isDeferred } }

    var firstUnstored: OutboxEvent? { events.first { !$0.isStored } }
    var firstDecisiveUnstored: OutboxEvent? { events.first { !$0.isStored && $0.isDecisive } }

    /// False when the event has left the queue meanwhile, so that its file must go too.
    mutating func markStored(_ sequence: UInt64) -> Bool {
        guard let index = events.firstIndex(where: { $0.sequence == sequence }) else { return false }
        events[index].isStored = true
        return true
    }

    mutating func takeDiscarded() -> [UInt64] {
        defer { discarded = [] }
        return discarded
    }
}
