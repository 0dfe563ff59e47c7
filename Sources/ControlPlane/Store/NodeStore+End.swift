internal import GRDB

extension NodeStore {
    /// nil takes back what was announced. False where there is no such node.
    package func announceEnd(_ end: AnnouncedEnd?, of id: String) async throws -> Bool {
        try await write { database in
            try database.execute(
                sql: "UPDATE nodes SET end_document = ?, end_revision = end_revision + 1 WHERE id = ?",
                arguments: [end.map { Self.text($0.document) }, id])
            return database.changesCount > 0
        }
    }
}
