/// How the outbox is doing; counted since the agent started.
package struct OutboxFigures: Equatable, Sendable {
    /// Not taken yet.
    package var pending: Int
    /// For want of room.
    package var dropped: Int
    /// Refused, and set aside: for good, or until this node is let in again.
    package var parked: Int
    /// Files of an earlier agent that were no events any more, and set aside.
    package var damaged: Int

    package init(pending: Int = 0, dropped: Int = 0, parked: Int = 0, damaged: Int = 0) {
        self.pending = pending
        self.dropped = dropped
        self.parked = parked
        self.damaged = damaged
    }

    func rendered(error: String?) -> JSONValue {
        .object([
            "pending": .integer(Int64(pending)), "dropped": .integer(Int64(dropped)),
            "parked": .integer(Int64(parked)), "damaged": .integer(Int64(damaged)),
            "error": error.map(JSONValue.string) ?? .null,
        ])
    }
}
