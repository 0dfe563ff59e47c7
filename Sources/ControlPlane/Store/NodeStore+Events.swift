package import AgentWire
internal import GRDB

extension NodeStore {
    /// Events kept per node; the oldest go first. A node makes some thirty per start.
    package static let eventsKept = 2000

    /// How many of the events were new; the others had arrived before.
    package func append(
        _ events: [ReportedEvent], to id: String, keeping kept: Int = eventsKept
    ) async throws -> Int {
        let now = Self.now()
        return try await write { database in
            var accepted = 0
            for event in events where try Self.insert(event, of: id, at: now, database) {
                accepted += 1
            }
            try database.execute(sql: "UPDATE nodes SET last_event_at = ? WHERE id = ?", arguments: [now, id])
            try Self.forget(beyond: kept, of: id, database)
            return accepted
        }
    }

    /// As stored, in order of sequence, those after the sequence `after`.
    package func events(of id: String, incarnation: Int64, after: Int64, limit: Int) async throws -> [JSONValue] {
        try await read { database in
            try String.fetchAll(
                database,
                sql: """
                    SELECT document FROM events WHERE node_id = ? AND incarnation = ? AND sequence > ?
                    ORDER BY sequence LIMIT ?
                    """,
                arguments: [id, incarnation, after, min(limit, Self.maximumPage)]
            )
            .map(Self.document)
        }
    }

    /// False where the event had arrived before.
    private static func insert(
        _ event: ReportedEvent, of id: String, at time: String, _ database: Database
    ) throws -> Bool {
        let known = try Int.fetchOne(
            database, sql: "SELECT 1 FROM events WHERE node_id = ? AND id = ?", arguments: [id, event.id])
        guard known == nil, let incarnation = try incarnation(of: event, from: id, database) else { return false }
        try database.execute(
            sql: """
                INSERT INTO events (node_id, id, incarnation, sequence, type, received_at, document)
                VALUES (?, ?, ?, ?, ?, ?, ?)
                """,
            arguments: [id, event.id, incarnation, event.sequence, event.type, time, text(event.document)])
        return true
    }

    /// Where an event of an id not stored belongs. Nil for one that retention has removed already.
    ///
    /// A sequence taken by another id, or an agent's start below what retention removed, can only come from a node
    /// that counts anew.
    private static func incarnation(
        of event: ReportedEvent, from id: String, _ database: Database
    ) throws -> Int64? {
        let node = try Row.fetchOne(
            database, sql: "SELECT incarnation, seen_through FROM nodes WHERE id = ?", arguments: [id])
        guard let node else { return nil }
        let current: Int64 = node["incarnation"]
        if event.sequence <= (node["seen_through"] as Int64) {
            guard event.type == ReportedEvent.agentStartedType else { return nil }
        } else {
            let taken = try Int.fetchOne(
                database, sql: "SELECT 1 FROM events WHERE node_id = ? AND incarnation = ? AND sequence = ?",
                arguments: [id, current, event.sequence])
            if taken == nil { return current }
        }
        try database.execute(
            sql: "UPDATE nodes SET incarnation = ?, seen_through = ? WHERE id = ?",
            arguments: [current + 1, event.sequence - 1, id])
        return current + 1
    }

    private static func forget(beyond kept: Int, of id: String, _ database: Database) throws {
        let newest = try Row.fetchOne(
            database,
            sql: """
                SELECT incarnation, sequence FROM events WHERE node_id = ?
                ORDER BY incarnation DESC, sequence DESC LIMIT 1 OFFSET ?
                """,
            arguments: [id, kept])
        guard let newest else { return }
        let incarnation: Int64 = newest["incarnation"]
        let sequence: Int64 = newest["sequence"]
        try database.execute(
            sql: "DELETE FROM events WHERE node_id = ? AND (incarnation, sequence) <= (?, ?)",
            arguments: [id, incarnation, sequence])
        try database.execute(
            sql: "UPDATE nodes SET seen_through = MAX(seen_through, ?) WHERE id = ? AND incarnation = ?",
            arguments: [sequence, id, incarnation])
    }
}
