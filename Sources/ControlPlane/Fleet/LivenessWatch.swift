package import Logging
internal import ServiceLifecycle

/// Looks at the fleet every few seconds, tells the log what has changed, and keeps who is lost.
package struct LivenessWatch: Service {
    let fleet: Fleet
    let store: NodeStore
    let logger: Logger

    private static let interval = Duration.seconds(5)
    /// Lines of one look: a fleet that is lost is one piece of news, not a hundred thousand.
    private static let maximumLines = 20

    package init(fleet: Fleet, store: NodeStore, logger: Logger) {
        self.fleet = fleet
        self.store = store
        self.logger = logger
    }

    package func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                await look()
                // Cancelled at the stop; the loop then ends.
                try? await Task.sleep(for: Self.interval)
            }
        }
    }

    package func look() async {
        let changes = fleet.changes()
        tell(changes)
        await keep(changes)
    }

    private func keep(_ changes: [FleetLiveness.Change]) async {
        do {
            try await store.keep(changes)
        } catch is CancellationError {
            // The server stops; at worst a node is missed once more after its next start.
        } catch {
            logger.error("cannot keep which nodes are lost", metadata: ["reason": "\(error)"])
        }
    }

    private func tell(_ changes: [FleetLiveness.Change]) {
        for change in changes.prefix(Self.maximumLines) {
            switch change {
            case .lost(let node): logger.warning("node lost: not heard for too long", metadata: ["node": "\(node)"])
            case .found(let node): logger.notice("node heard again", metadata: ["node": "\(node)"])
            case .brakeSet(let silent, let all):
                logger.error(
                    """
                    many nodes fell silent together: none is declared lost. Look at this server's network; where the \
                    nodes are really gone, DELETE /api/v1/fleet/brake
                    """, metadata: ["silent": "\(silent)", "of": "\(all)"])
            case .brakeReleased: logger.notice("the silence is over, or declared real")
            case .stalled(let seconds):
                logger.warning(
                    "this server stood still: nobody is declared lost for a while", metadata: ["seconds": "\(seconds)"])
            }
        }
        if changes.count > Self.maximumLines {
            logger.warning("and more changes", metadata: ["count": "\(changes.count - Self.maximumLines)"])
        }
    }
}
