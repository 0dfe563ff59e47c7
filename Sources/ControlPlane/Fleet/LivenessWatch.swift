internal import Logging
internal import ServiceLifecycle

/// Looks at the fleet every few seconds and tells the log what has changed.
struct LivenessWatch: Service {
    let fleet: Fleet
    let logger: Logger

    private static let interval = Duration.seconds(5)
    /// Lines of one look: a fleet that is lost is one piece of news, not a hundred thousand.
    private static let maximumLines = 20

    func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                tell(fleet.changes())
                // Cancelled at the stop; the loop then ends.
                try? await Task.sleep(for: Self.interval)
            }
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
