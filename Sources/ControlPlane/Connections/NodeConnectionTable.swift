internal import NIOCore

/// The connections of nodes on one event loop, and which of them have waited long enough. Used on that loop only.
///
/// One look at all of them twice a second costs less than a timer for each: a hundred thousand waiting polls would be
/// as many entries in the loop's heap, and each poll that is answered early a search through it.
final class NodeConnectionTable {
    private static let interval = TimeAmount.milliseconds(500)

    private let loop: any EventLoop
    private var connections: [NodeCallHandler] = []
    private var isLooking = false
    private(set) var date = HTTPDateText()

    /// Of one loop. Above it a connection is closed behind what is no poll: keeping a second one open for each node, for
    /// a heartbeat every ten seconds and more, would cost more memory than making it anew costs time.
    private static let crowd = 5_000

    var isCrowded: Bool { connections.count > Self.crowd }

    init(_ loop: any EventLoop) {
        self.loop = loop
    }

    func dateText() -> String {
        date.now()
    }

    func add(_ connection: NodeCallHandler) {
        connection.slot = connections.count
        connections.append(connection)
        if !isLooking { lookLater() }
    }

    func remove(_ connection: NodeCallHandler) {
        guard let slot = connection.slot else { return }
        connection.slot = nil
        let last = connections.removeLast()
        guard last !== connection else { return }
        connections[slot] = last
        last.slot = slot
    }

    private func lookLater() {
        isLooking = true
        loop.assumeIsolated().scheduleTask(in: Self.interval) { [self] in look() }
    }

    private func look() {
        isLooking = false
        let now = NIODeadline.now()
        // What is due may close, and take itself out.
        for connection in connections.filter({ $0.deadline <= now }) { connection.isDue() }
        if !connections.isEmpty { lookLater() }
    }
}

@available(*, unavailable)
extension NodeConnectionTable: Sendable {}
