internal import FoundationEssentials
internal import GRDB

extension NodeStore {
    /// Of one transaction: where a whole fleet is lost, its events must not wait for all of it.
    private static let changesPerCommit = 1000

    /// Who is lost, and who is no more; of other changes nothing is kept.
    /// - Throws: `StoreFailure`, `CancellationError`.
    package func keep(_ changes: [FleetLiveness.Change]) async throws {
        let now = Self.now()
        let lostAt: [(node: String, time: String?)] = changes.compactMap { change in
            switch change {
            case .lost(let node): (node, now)
            case .found(let node): (node, nil)
            case .brakeSet, .brakeReleased, .stalled: nil
            }
        }
        for first in stride(from: 0, to: lostAt.count, by: Self.changesPerCommit) {
            let part = lostAt[first...].prefix(Self.changesPerCommit)
            try await write { database in
                let update = try database.cachedStatement(sql: "UPDATE nodes SET lost_at = ? WHERE id = ?")
                for (node, time) in part { try update.execute(arguments: [time, node]) }
            }
        }
    }

    /// Every node, as the directory needs it.
    static func entries(_ database: Database) throws -> [String: NodeDirectory.Entry] {
        var entries: [String: NodeDirectory.Entry] = [:]
        let rows = try Row.fetchCursor(database, sql: selectEntries)
        while let row = try rows.next() {
            guard let token = TokenDigest(stored: Array(row["token_sha256"] as Data)) else { continue }
            entries[row["id"]] = NodeDirectory.Entry(
                token: token, generation: row["generation"], endRevision: row["end_revision"],
                isRevoked: row["revoked_at"] as String? != nil, past: past(row))
        }
        return entries
    }

    /// By its newest event, as in the view of the node.
    private static let selectEntries = """
        SELECT id, token_sha256, generation, end_revision, revoked_at, last_event_at, lost_at,
            (SELECT CASE WHEN json_valid(document) THEN json_extract(document, '$.data.state') = 'stopped' END
                FROM events WHERE node_id = nodes.id ORDER BY incarnation DESC, sequence DESC LIMIT 1) AS has_left
        FROM nodes
        """

    private static func past(_ node: Row) -> FleetLiveness.Past? {
        guard node["last_event_at"] as String? != nil else { return nil }
        if node["has_left"] as Bool? == true { return .left }
        return node["lost_at"] as String? == nil ? .present : .lost
    }
}
