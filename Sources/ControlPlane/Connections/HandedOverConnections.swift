internal import HummingbirdCore
internal import Locking
internal import Logging
internal import ServiceLifecycle

/// Serves the connections that are handed over to the HTTP server, and ends when the last connection of all has ended.
///
/// The HTTP server has a task for each connection from its first byte to its last, which takes 2.6 kB; a node's, of which
/// there are three for each node, never needs one.
final class HandedOverConnections: Service {
    private struct Arrival: Sendable {
        let server: HTTP1Channel
        let connection: HTTP1Channel.Value
    }

    private struct State {
        /// Of nodes and handed over.
        var open = 0
        var isStopping = false
    }

    let logger: Logger
    private let state = Mutex(State())
    private let arrivals: AsyncStream<Arrival>
    private let arrived: AsyncStream<Arrival>.Continuation

    init(_ logger: Logger) {
        self.logger = logger
        // As many as there are connections, whose number is limited.
        (arrivals, arrived) = AsyncStream.makeStream(of: Arrival.self)
    }

    func run() async throws {
        await withGracefulShutdownHandler {
            await withDiscardingTaskGroup { group in
                for await arrival in arrivals {
                    group.addTask { [self] in
                        await arrival.server.handle(value: arrival.connection, logger: logger)
                        ended()
                    }
                }
            }
        } onGracefulShutdown: { [self] in
            change { $0.isStopping = true }
        }
    }

    /// There is one more, which `ended` is told of, or which is served here.
    func opened() {
        change { $0.open += 1 }
    }

    func ended() {
        change { $0.open -= 1 }
    }

    func serve(_ connection: HTTP1Channel.Value, by server: HTTP1Channel) {
        arrived.yield(Arrival(server: server, connection: connection))
    }

    private func change(_ change: (inout State) -> Void) {
        let isOver = state.withLock { state in
            change(&state)
            return state.isStopping && state.open == 0
        }
        if isOver { arrived.finish() }
    }
}
