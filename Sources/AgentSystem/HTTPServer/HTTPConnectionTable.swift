internal import NIOCore

/// The connections of one server, and who has to go when there are too many. Used on the event loop only.
final class HTTPConnectionTable {
    enum Admission {
        case served
        /// Over the limit: gets its 503 and nothing else.
        case refused
        /// Too many are being refused already.
        case closed
    }

    /// Refused connections that may linger at one time.
    private static let maximumRefused = 32

    private let limit: Int
    private var served: [ObjectIdentifier: HTTPConnectionHandler] = [:]
    private var refused = 0
    private var emptied: (() -> Void)?

    init(limit: Int) {
        self.limit = limit
    }

    func admit(_ connection: HTTPConnectionHandler) -> Admission {
        if served.count >= limit, let idle = longestIdle() {
            served.removeValue(forKey: ObjectIdentifier(idle))
            idle.close()
        }
        if served.count < limit {
            served[ObjectIdentifier(connection)] = connection
            return .served
        }
        guard refused < Self.maximumRefused else { return .closed }
        refused += 1
        return .refused
    }

    func remove(_ connection: HTTPConnectionHandler, _ admission: Admission) {
        switch admission {
        case .served:
            served.removeValue(forKey: ObjectIdentifier(connection))
            if served.isEmpty { tellEmptied() }
        case .refused: refused -= 1
        case .closed: break
        }
    }

    func closeIdle() {
        for connection in served.values where connection.idleDeadline != nil { connection.close() }
    }

    /// Calls back once, maybe at once.
    func whenEmpty(_ emptied: @escaping () -> Void) {
        self.emptied = emptied
        if served.isEmpty { tellEmptied() }
    }

    private func tellEmptied() {
        emptied?()
        emptied = nil
    }

    private func longestIdle() -> HTTPConnectionHandler? {
        var longest: (connection: HTTPConnectionHandler, deadline: NIODeadline)?
        for connection in served.values {
            guard let deadline = connection.idleDeadline, deadline < longest?.deadline ?? .distantFuture else {
                continue
            }
            longest = (connection, deadline)
        }
        return longest?.connection
    }
}

@available(*, unavailable)
extension HTTPConnectionTable: Sendable {}
