internal import NIOCore

/// The connections of one server, and who has to go when there are too many. Used on the event loop only.
final class HTTPConnectionTable {
    private let limit: Int
    private var connections: [ObjectIdentifier: HTTPConnectionHandler] = [:]
    private var emptied: (() -> Void)?

    init(limit: Int) {
        self.limit = limit
    }

    /// A new connection is always served, so that ten thousand that only sit there keep nobody out: the one that has
    /// sat there longest makes room.
    func admit(_ connection: HTTPConnectionHandler) {
        if connections.count >= limit, let longest = connections.values.min(by: Self.isBefore) {
            connections.removeValue(forKey: ObjectIdentifier(longest))
            longest.close()
        }
        connections[ObjectIdentifier(connection)] = connection
    }

    func remove(_ connection: HTTPConnectionHandler) {
        connections.removeValue(forKey: ObjectIdentifier(connection))
        if connections.isEmpty { tellEmptied() }
    }

    func closeIdle() {
        for connection in connections.values where connection.isIdle { connection.close() }
    }

    /// Calls back once, maybe at once.
    func whenEmpty(_ emptied: @escaping () -> Void) {
        self.emptied = emptied
        if connections.isEmpty { tellEmptied() }
    }

    private func tellEmptied() {
        emptied?()
        emptied = nil
    }

    /// Who waits for nothing goes before who has not said, or not taken, everything.
    private static func isBefore(_ one: HTTPConnectionHandler, _ other: HTTPConnectionHandler) -> Bool {
        one.isIdle == other.isIdle ? one.deadline < other.deadline : one.isIdle
    }
}

@available(*, unavailable)
extension HTTPConnectionTable: Sendable {}
