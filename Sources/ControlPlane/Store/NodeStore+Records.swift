internal import AgentWire
internal import GRDB

extension NodeStore {
    package static let maximumPage = 1000

    package func record(of id: String) async throws -> NodeRecord? {
        try await read { database in
            try Row.fetchOne(database, sql: Self.selectRecords + " WHERE n.id = ?", arguments: [id])
                .map { try Self.record($0, database) }
        }
    }

    /// In order of creation, those after the node `after`.
    package func records(after: String?, limit: Int) async throws -> [NodeRecord] {
        try await read { database in
            try Row.fetchAll(
                database,
                sql: Self.selectRecords + """
                     WHERE n.number > COALESCE((SELECT number FROM nodes WHERE id = ?), 0)
                    ORDER BY n.number LIMIT ?
                    """,
                arguments: [after, min(limit, Self.maximumPage)]
            )
            .map { try Self.record($0, database) }
        }
    }

    /// The view of a node is a query over its events, so that one that arrives late cannot move it backwards.
    private static let selectRecords = """
        SELECT n.id, n.generation, n.created_at, n.revoked_at, n.last_event_at, n.incarnation,
            n.seen_through, n.end_document, a.document,
            (SELECT document FROM events WHERE node_id = n.id
                ORDER BY incarnation DESC, sequence DESC LIMIT 1) AS newest,
            (SELECT document FROM events WHERE node_id = n.id AND type = '\(ReportedEvent.readyType)'
                ORDER BY incarnation DESC, sequence DESC LIMIT 1) AS ready,
            (SELECT COUNT(*) FROM events WHERE node_id = n.id) AS event_count
        FROM nodes n JOIN assignments a ON a.node_id = n.id AND a.generation = n.generation
        """

    private static func record(_ row: Row, _ database: Database) throws -> NodeRecord {
        let newest: String? = row["newest"]
        let ready: String? = row["ready"]
        let end: String? = row["end_document"]
        return NodeRecord(
            id: row["id"], generation: row["generation"], createdAt: row["created_at"], revokedAt: row["revoked_at"],
            request: try document(row["document"]), end: try end.map(document), newestEvent: try newest.map(document),
            readyEvent: try ready.map(document), lastEventAt: row["last_event_at"], eventCount: row["event_count"],
            incarnation: row["incarnation"], sequenceGaps: try gaps(row, database))
    }

    /// Of the current incarnation; walks one index.
    private static func gaps(_ node: Row, _ database: Database) throws -> [SequenceGap] {
        try Row.fetchAll(
            database,
            sql: """
                SELECT previous + 1 AS first, sequence - 1 AS last FROM (
                    SELECT sequence, LAG(sequence, 1, :seen) OVER (ORDER BY sequence) AS previous
                    FROM events WHERE node_id = :id AND incarnation = :incarnation AND sequence > :seen
                ) WHERE sequence > previous + 1 LIMIT :limit
                """,
            arguments: [
                "id": node["id"] as String, "incarnation": node["incarnation"] as Int64,
                "seen": node["seen_through"] as Int64, "limit": SequenceGap.maximumShown,
            ]
        )
        .map { SequenceGap(first: $0["first"], last: $0["last"]) }
    }
}
