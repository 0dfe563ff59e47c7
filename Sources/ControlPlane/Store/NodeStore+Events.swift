package import AgentWire
internal import GRDB

extension NodeStore {
    /// Events kept per node; the oldest go first. A node makes some thirty per start.
    package static let eventsKept = 2000

    /// How many of the events were new; the others had arrived before.
    package func append(_ events: [NodeEvent], to id: String, keeping kept: Int = eventsKept) async throws -> Int {
        let now = Self.now()
        return try await write { database in
            let forgotten = try Int64.fetchOne(
                database, sql: "SELECT forgotten_through FROM nodes WHERE id = ?", arguments: [id])
            var accepted = 0
            for event in events where event.sequence > forgotten ?? 0 {
                try database.execute(
                    sql: """
                        INSERT INTO events (node_id, id, sequence, type, received_at, document)
                        VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (node_id, id) DO NOTHING
                        """,
                    arguments: [id, event.id, event.sequence, event.type, now, Self.text(event.document)])
                accepted += database.changesCount
            }
            try database.execute(sql: "UPDATE nodes SET last_event_at = ? WHERE id = ?", arguments: [now, id])
            try Self.forget(beyond: kept, of: id, database)
            return accepted
        }
    }

    /// As stored, in order of sequence, those after the sequence `after`.
    package func events(of id: String, after: Int64, limit: Int) async throws -> [JSONValue] {
        try await read { database in
            try String.fetchAll(
                database,
                sql: "SELECT document FROM events WHERE node_id = ? AND sequence > ? ORDER BY sequence, id LIMIT ?",
                arguments: [id, after, min(limit, Self.maximumPage)]
            )
            .map(Self.document)
        }
    }

    private static func forget(beyond kept: Int, of id: String, _ database: Database) throws {
        let newestForgotten = try Int64.fetchOne(
            database,
            sql: "SELECT sequence FROM events WHERE node_id = ? ORDER BY sequence DESC LIMIT 1 OFFSET ?",
            arguments: [id, kept])
        guard let newestForgotten else { return }
        try database.execute(
            sql: "DELETE FROM events WHERE node_id = ? AND sequence <= ?", arguments: [id, newestForgotten])
        try database.execute(
            sql: "UPDATE nodes SET forgotten_through = ? WHERE id = ?", arguments: [newestForgotten, id])
    }
}
