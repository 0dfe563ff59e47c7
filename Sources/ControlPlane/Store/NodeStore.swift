internal import AgentCore
internal import AgentWire
internal import FoundationEssentials
internal import GRDB

/// Nodes, their assignments and their events, in one SQLite file.
///
/// Every access runs on GRDB's own queues: a slow disk never holds up an event loop or the cooperative pool.
package final class NodeStore: Sendable {
    private let pool: DatabasePool
    /// Keeps the folder ours until the last access is over.
    private let folder: DataDirectory
    package let directory: NodeDirectory
    let eventQueue: EventQueue

    /// Opens or creates the database. Blocks, so it belongs before the server's start.
    /// - Throws: `StoreFailure`.
    package init(directory path: String, maximumWaitingEvents: Int = 16_384) throws(StoreFailure) {
        eventQueue = EventQueue(maximumEntries: maximumWaitingEvents)
        folder = try DataDirectory(path)
        var configuration = Configuration()
        configuration.busyMode = .timeout(5)
        do {
            pool = try DatabasePool(path: folder.databasePath, configuration: configuration)
            // GRDB's NORMAL may lose the last commits with the power; 202 promises a node that it may forget an event.
            try pool.writeWithoutTransaction { try $0.execute(sql: "PRAGMA synchronous = FULL") }
            try Schema.migrator.migrate(pool)
            directory = NodeDirectory(try pool.read(Self.entries))
        } catch {
            throw Self.failure(error, path: folder.databasePath)
        }
    }

    /// One consistent look.
    func read<Value: Sendable>(_ value: @escaping @Sendable (Database) throws -> Value) async throws -> Value {
        do {
            return try await pool.read(value)
        } catch let error as DatabaseError {
            throw Self.failure(error, path: folder.databasePath)
        }
    }

    /// All of it or nothing, on disk when it returns.
    func write<Value: Sendable>(_ updates: @escaping @Sendable (Database) throws -> Value) async throws -> Value {
        do {
            return try await pool.write(updates)
        } catch let error as DatabaseError {
            throw Self.failure(error, path: folder.databasePath)
        }
    }

    /// Behind everything that was asked for before; does not wait.
    func writeInOrder(_ updates: @escaping @Sendable (Database) -> Void) {
        pool.asyncWriteWithoutTransaction(updates)
    }

    /// What a caller is told of an error of the database.
    func failure(_ error: any Error) -> any Error {
        error is DatabaseError ? Self.failure(error, path: folder.databasePath) : error
    }

    /// GRDB's description leaves out the values of a statement, and so any secret.
    private static func failure(_ error: any Error, path: String) -> StoreFailure {
        StoreFailure(message: "\(path): \(error)")
    }

    /// RFC 3339, UTC, milliseconds.
    static func now() -> String {
        WallClock.rfc3339(Date.now.timeIntervalSince1970)
    }

    static func text(_ document: JSONValue) -> String {
        String(decoding: document.rendered(), as: UTF8.self)
    }

    static func document(_ text: String) throws -> JSONValue {
        try JSONReader.parse(Array(text.utf8))
    }
}
