internal import AgentCore
internal import AgentWire
internal import FoundationEssentials
internal import GRDB

/// How an operator's change of a node ended.
package enum NodeChange: Equatable, Sendable {
    case done(generation: Int64)
    case revoked
    case unknown
}

/// Whose a bearer token is.
package enum TokenOwner: Equatable, Sendable {
    case thisNode
    case anotherNode
    case nobody
    /// There is no such node.
    case unknownNode
}

extension NodeStore {
    package func create(_ id: String, token: TokenDigest, request: NodeRequest) async throws {
        let now = Self.now()
        try await write { database in
            try database.execute(
                sql: "INSERT INTO nodes (id, token_sha256, created_at, generation) VALUES (?, ?, ?, 1)",
                arguments: [id, Data(token.bytes), now])
            try Self.insert(request, generation: 1, of: id, at: now, into: database)
        }
        directory.add(id, token: token)
    }

    /// A new generation; the ones before it stay as history.
    package func replaceAssignment(of id: String, with request: NodeRequest) async throws -> NodeChange {
        let now = Self.now()
        let change: NodeChange = try await write { database in
            let found = try Row.fetchOne(
                database, sql: "SELECT generation, revoked_at FROM nodes WHERE id = ?", arguments: [id])
            guard let found else { return .unknown }
            let revokedAt: String? = found["revoked_at"]
            guard revokedAt == nil else { return .revoked }
            let generation = (found["generation"] as Int64) + 1
            try database.execute(
                sql: "UPDATE nodes SET generation = ? WHERE id = ?", arguments: [generation, id])
            try Self.insert(request, generation: generation, of: id, at: now, into: database)
            return .done(generation: generation)
        }
        if case .done(let generation) = change { directory.advance(id, to: generation) }
        return change
    }

    /// For good. False where there is no such node.
    package func revoke(_ id: String) async throws -> Bool {
        let now = Self.now()
        let isKnown = try await write { database in
            try database.execute(
                sql: "UPDATE nodes SET revoked_at = COALESCE(revoked_at, ?) WHERE id = ?", arguments: [now, id])
            return database.changesCount > 0
        }
        if isKnown { directory.revoke(id) }
        return isKnown
    }

    /// Asks the database only where the token is the wrong one.
    package func owner(of token: TokenDigest, claiming id: String) async throws -> TokenOwner {
        guard let entry = directory[id] else { return .unknownNode }
        if entry.token == token { return .thisNode }
        let other = try await read { database in
            try Int.fetchOne(
                database, sql: "SELECT 1 FROM nodes WHERE token_sha256 = ?", arguments: [Data(token.bytes)])
        }
        return other == nil ? .nobody : .anotherNode
    }

    /// The current one. Nil where there is no such node.
    package func assignment(of id: String) async throws -> StoredAssignment? {
        try await read { try Self.assignment(of: id, $0) }
    }

    /// The same, `done` being called on a queue of the database's.
    func assignment(of id: String, done: @escaping @Sendable (Result<StoredAssignment?, any Error>) -> Void) {
        readLater { database in
            done(Result { try Self.assignment(of: id, try database.get()) })
        }
    }

    private static func assignment(of id: String, _ database: Database) throws -> StoredAssignment? {
        let row = try Row.fetchOne(
            database,
            sql: """
                SELECT a.generation, a.document, a.callback_secret, n.revoked_at, n.end_document, n.end_revision
                FROM nodes n JOIN assignments a ON a.node_id = n.id AND a.generation = n.generation
                WHERE n.id = ?
                """,
            arguments: [id])
        guard let row else { return nil }
        let secret: String? = row["callback_secret"]
        let revokedAt: String? = row["revoked_at"]
        let end: String? = row["end_document"]
        return StoredAssignment(
            generation: row["generation"], document: try document(row["document"]),
            callbackSecret: secret.map(Secret.init), isRevoked: revokedAt != nil, end: try end.map(document),
            endRevision: row["end_revision"])
    }

    private static func insert(
        _ request: NodeRequest, generation: Int64, of id: String, at time: String, into database: Database
    ) throws {
        try database.execute(
            sql: """
                INSERT INTO assignments (node_id, generation, created_at, document, callback_secret)
                VALUES (?, ?, ?, ?, ?)
                """,
            arguments: [id, generation, time, text(request.document), request.callbackSecret?.reveal()])
    }
}
