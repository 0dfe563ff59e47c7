/// What became of events other than being taken, since the agent started.
struct OutboxCounters: Equatable, Sendable {
    /// For want of room: the least important first.
    var dropped = 0
    /// Refused for good.
    var parked = 0
    /// Files of an earlier agent that were no events any more.
    var damaged = 0
}
