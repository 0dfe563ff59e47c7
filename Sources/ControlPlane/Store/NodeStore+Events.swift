internal import AgentWire
internal import GRDB

extension NodeStore {
    /// Events kept per node; the oldest go first. A node makes some thirty per start.
    package static let eventsKept = 2000

    /// On disk when it returns, in the order of `events`.
    ///
    /// Not cancelled with its task: the transaction is shared with other nodes.
    /// - Throws: `StoreOverloaded`, `StoreFailure`.
    package func append(
        _ events: [ReportedEvent], to id: String, keeping kept: Int = eventsKept
    ) async throws -> StoredEvents {
        try await withCheckedThrowingContinuation { continuation in
            append(events, to: id, keeping: kept) { continuation.resume(with: $0) }
        }
    }

    /// The same, `done` being called on the database's queue.
    func append(
        _ events: [ReportedEvent], to id: String, keeping kept: Int = eventsKept,
        done: @escaping @Sendable (Result<StoredEvents, any Error>) -> Void
    ) {
        let entry = EventQueue.Entry(node: id, events: events, kept: kept, done: done)
        do {
            if try eventQueue.add(entry) { commitWaiting() }
        } catch {
            done(.failure(error))
        }
    }

    /// One transaction, then the next one behind whoever else wants to write meanwhile.
    private func commitWaiting() {
        writeInOrder { [self] database in
            let entries = eventQueue.take()
            guard !entries.isEmpty else { return }
            let results = Result { try Self.commit(entries, database) }
            for (index, entry) in entries.enumerated() {
                entry.done(results.flatMap { $0[index] }.mapError(failure))
            }
            commitWaiting()
        }
    }

    private static func commit(
        _ entries: [EventQueue.Entry], _ database: Database
    ) throws -> [Result<StoredEvents, any Error>] {
        var results: [Result<StoredEvents, any Error>] = []
        try database.inTransaction {
            let now = now()
            results = try entries.map { try attempt($0, at: now, database) }
            return .commit
        }
        return results
    }

    /// An error is its own entry's; unless SQLite has ended the transaction over it, as it does where the disk is full.
    private static func attempt(
        _ entry: EventQueue.Entry, at time: String, _ database: Database
    ) throws -> Result<StoredEvents, any Error> {
        do {
            var stored = StoredEvents(outcomes: [])
            try database.inSavepoint {
                stored = try insert(entry, at: time, database)
                return .commit
            }
            return .success(stored)
        } catch {
            guard database.isInsideTransaction else { throw error }
            return .failure(error)
        }
    }

    private static func insert(
        _ entry: EventQueue.Entry, at time: String, _ database: Database
    ) throws -> StoredEvents {
        let outcomes = try entry.events.map { event in
            try insert(event, of: entry.node, at: time, database) ? EventOutcome.accepted : .duplicate
        }
        try database.cachedStatement(sql: "UPDATE nodes SET last_event_at = ? WHERE id = ?")
            .execute(arguments: [time, entry.node])
        try forget(beyond: entry.kept, of: entry.node, database)
        return StoredEvents(outcomes: outcomes, newest: try newestSequence(of: entry.node, database))
    }

    private static func newestSequence(of id: String, _ database: Database) throws -> Int64? {
        let newest = """
            SELECT sequence FROM events WHERE node_id = ? ORDER BY incarnation DESC, sequence DESC LIMIT 1
            """
        return try Int64.fetchOne(database.cachedStatement(sql: newest), arguments: [id])
    }

    /// As they were sent, in order of sequence, those after the sequence `after`.
    package func events(of id: String, incarnation: Int64, after: Int64, limit: Int) async throws -> [String] {
        try await read { database in
            try String.fetchAll(
                database,
                sql: """
                    SELECT document FROM events WHERE node_id = ? AND incarnation = ? AND sequence > ?
                    ORDER BY sequence LIMIT ?
                    """,
                arguments: [id, incarnation, after, min(limit, Self.maximumPage)]
            )
        }
    }

    /// False where the event had arrived before.
    private static func insert(
        _ event: ReportedEvent, of id: String, at time: String, _ database: Database
    ) throws -> Bool {
        let known = try Int.fetchOne(
            database.cachedStatement(sql: "SELECT 1 FROM events WHERE node_id = ? AND id = ?"),
            arguments: [id, event.id])
        guard known == nil, let incarnation = try incarnation(of: event, from: id, database) else { return false }
        try database.cachedStatement(
            sql: """
                INSERT INTO events (node_id, id, incarnation, sequence, type, received_at, document)
                VALUES (?, ?, ?, ?, ?, ?, ?)
                """
        )
        .execute(arguments: [id, event.id, incarnation, event.sequence, event.type, time, event.text])
        if let start = event.start { try insert(start, endedBy: event.id, of: id, at: time, database) }
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
            database.cachedStatement(sql: "SELECT incarnation, seen_through FROM nodes WHERE id = ?"),
            arguments: [id])
        guard let node else { return nil }
        let current: Int64 = node["incarnation"]
        if event.sequence <= (node["seen_through"] as Int64) {
            guard event.type == ReportedEvent.agentStartedType else { return nil }
        } else {
            let taken = try Int.fetchOne(
                database.cachedStatement(
                    sql: "SELECT 1 FROM events WHERE node_id = ? AND incarnation = ? AND sequence = ?"),
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
            database.cachedStatement(
                sql: """
                    SELECT incarnation, sequence FROM events WHERE node_id = ?
                    ORDER BY incarnation DESC, sequence DESC LIMIT 1 OFFSET ?
                    """),
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
