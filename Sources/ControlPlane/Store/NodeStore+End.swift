internal import GRDB

extension NodeStore {
    /// nil takes back what was announced. False where there is no such node.
    package func announceEnd(_ end: AnnouncedEnd?, of id: String) async throws -> Bool {
        let revision = try await write { database in
            try Int64.fetchOne(
                database,
                sql: """
                    UPDATE nodes SET end_document = ?, end_revision = end_revision + 1 WHERE id = ?
                    RETURNING end_revision
                    """,
                arguments: [end.map { Self.text($0.document) }, id])
        }
        guard let revision else { return false }
        directory.announceEnd(id, revision: revision)
        return true
    }
}
