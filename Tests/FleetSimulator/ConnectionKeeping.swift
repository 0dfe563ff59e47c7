internal import AgentCore
internal import NIOCore

/// The connection that a node keeps open for its urgent events, with the pauses of the agent.
final class ConnectionKeeping {
    private let fleet: SimulatedFleet
    private let source: SocketAddress?
    private let question: ByteBuffer
    private var connection: NodeConnection?
    private var backoff = Backoff(first: .seconds(1), longest: .seconds(45))
    private var random: SplitMix

    init(_ fleet: SimulatedFleet, of node: String, source: SocketAddress?, seed: UInt64) {
        self.fleet = fleet
        self.source = source
        random = SplitMix(seed: seed)
        question = ByteBuffer(
            string: "OPTIONS /api/v1/nodes/\(node)/events HTTP/1.1\r\nHost: control-plane\r\nAccept: */*\r\n\r\n")
    }

    func start() {
        if let connection, connection.isFree { return ask(connection) }
        fleet.connect(from: source, closed: { [self] closed in if connection === closed { connection = nil } }) {
            [self] connected in
            guard let connected else { return again(after: backoff.next(fraction: random.fraction())) }
            connection = connected
            ask(connected)
        }
    }

    /// As with the machine; the next question opens another one.
    func cut() {
        connection?.close()
    }

    private func ask(_ connection: NodeConnection) {
        let asked = fleet.now
        connection.send(question) { [self] reply in
            fleet.answered(.options, status: reply?.status, seconds: (fleet.now - asked).inSeconds)
            guard reply != nil else { return again(after: backoff.next(fraction: random.fraction())) }
            backoff.reset()
            again(after: .seconds(45) * (1 - 0.2 * random.fraction()))
        }
    }

    private func again(after pause: Duration) {
        fleet.after(pause.inSeconds) { [self] in start() }
    }
}

@available(*, unavailable)
extension ConnectionKeeping: Sendable {}
