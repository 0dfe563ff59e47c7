internal import AgentCore
internal import AgentWire
internal import NIOCore

/// A node on the wire: polls for its assignment, pushes its heartbeat, reports its events, keeps a connection for what is
/// urgent, and comes back when it is cut off, all with the pauses of the agent.
final class SimulatedNode {
    private let fleet: SimulatedFleet
    private let token: String
    private let source: SocketAddress?
    private var life: SimulatedLife
    private var random: SplitMix
    private var etag: String?
    private var poll: NodeConnection?
    private var report: NodeConnection?
    private let urgent: ConnectionKeeping
    private var isConnectingReport = false
    private var outbox: [[UInt8]] = []
    private var beatIsDue = false
    private var interval = 10.0
    private var pollPace: PollPace
    private var pushPace = PushPace()
    private var reportBackoff: Backoff
    private var reportIsPaused = false

    init(_ fleet: SimulatedFleet, id: String, token: String, source: SocketAddress?, seed: UInt64) {
        self.fleet = fleet
        self.token = token
        self.source = source
        urgent = ConnectionKeeping(fleet, of: id, source: source, seed: seed &* 37)
        life = SimulatedLife(id: id, seed: seed)
        random = SplitMix(seed: seed &* 31)
        pollPace = fleet.settings.pollPace
        reportBackoff = fleet.settings.reportBackoff
    }

    var isPolling: Bool { poll.map { !$0.isFree } ?? false }
    var isServing: Bool { life.isServing }
    var undelivered: Int { outbox.count }

    func start() {
        happen(.agentStarted)
        connectPoll()
        urgent.start()
        fleet.after(pushPace.first(every: .seconds(interval), fraction: random.fraction()).inSeconds) { [self] in
            beat()
        }
    }

    func engineDies() {
        due(life.engineDies())
    }

    /// The machine goes, and another one comes up in its place.
    func isTakenAway() {
        due(life.isTakenAway(at: fleet.now))
        fleet.after(35) { [self] in
            life.beginAnew()
            etag = nil
            pollPace = fleet.settings.pollPace
            outbox = []
            poll?.close()
            report?.close()
            urgent.cut()
            happen(.agentStarted)
        }
    }

    // MARK: Life

    private func happen(_ event: NodeEvent) {
        let (events, consequences) = life.take(event, at: fleet.now, wallTime: fleet.wallTime)
        outbox += events
        due(consequences)
        deliver()
    }

    private func due(_ events: [SimulatedLife.Due]) {
        for due in events {
            fleet.after(due.seconds) { [self] in
                if due.life == life.life { happen(due.event) }
            }
        }
    }

    // MARK: Assignment

    private func connectPoll() {
        fleet.connect(from: source, closed: { [self] connection in if poll === connection { poll = nil } }) {
            [self] connection in
            guard let connection else { return pollAgainLater() }
            poll = connection
            ask(connection)
        }
    }

    private func ask(_ connection: NodeConnection) {
        let known = etag.map { "If-None-Match: \($0)\r\n" } ?? ""
        let wait = Int(pollPace.wait.inSeconds)
        let request = request("GET", "assignment?wait=\(wait)", extra: known, body: nil)
        let asked = fleet.now
        connection.send(request) { [self] reply in
            fleet.answered(.poll, status: reply?.status, seconds: nil)
            guard let reply, reply.status == 200 || reply.status == 304 else { return pollAgainLater(reply) }
            if reply.status == 200 { takeAssignment(reply) }
            let pause = pollPace.answered(
                after: fleet.now - asked, isNews: reply.status == 200, fraction: { random.fraction() })
            pollAgain(after: pause)
        }
    }

    private func takeAssignment(_ reply: NodeConnection.Reply) {
        etag = reply.headers["etag"]
        var defaults = AssignmentDefaults()
        defaults.store = ObjectStore(
            endpoint: "https://simulated.invalid", bucket: "b", accessKeyID: Secret("a"), secretAccessKey: Secret("s"))
        guard let assignment = try? AssignmentCodec.decode(reply.body, defaults: defaults) else { return }
        let isFound = fleet.settings.isAdopted && life.life == 0 && !life.isServing
        happen(isFound ? life.adopts(assignment, at: fleet.now) : .assignmentReceived(assignment))
    }

    private func pollAgainLater(_ reply: NodeConnection.Reply? = nil) {
        let retryAfter = reply.flatMap { RetryAfter.of($0.headers) }
        pollAgain(after: pollPace.failed(retryAfter: retryAfter, fraction: { random.fraction() }))
    }

    private func pollAgain(after pause: Duration?) {
        guard let pause else { return askOnSomeConnection() }
        fleet.after(pause.inSeconds) { [self] in askOnSomeConnection() }
    }

    private func askOnSomeConnection() {
        if let poll, poll.isFree { ask(poll) } else { connectPoll() }
    }

    // MARK: Heartbeat and events

    private func beat() {
        beatIsDue = true
        deliver()
    }

    private func beatFailed() {
        beatAgain(after: pushPace.failed(every: .seconds(interval), retryAfter: nil, fraction: random.fraction()))
    }

    private func beatAgain(after pause: Duration) {
        beatIsDue = false
        fleet.after(pause.inSeconds) { [self] in beat() }
    }

    /// Events first: they may be the last ones of this node.
    private func deliver() {
        let hasEvents = !outbox.isEmpty && !reportIsPaused
        guard !isConnectingReport, hasEvents || beatIsDue else { return }
        guard let report else { return connectReport() }
        guard report.isFree else { return }
        if hasEvents { sendEvents(report) } else { sendHeartbeat(report) }
    }

    private func connectReport() {
        isConnectingReport = true
        fleet.connect(from: source, closed: { [self] connection in reportClosed(connection) }) {
            [self] connection in
            isConnectingReport = false
            guard let connection else {
                if beatIsDue { beatFailed() }
                return deliverAgainLater()
            }
            report = connection
            deliver()
        }
    }

    /// By the server, as a rule: what has come up meanwhile needs another one.
    private func reportClosed(_ connection: NodeConnection) {
        guard report === connection else { return }
        report = nil
        deliver()
    }

    private func sendHeartbeat(_ connection: NodeConnection) {
        beatIsDue = false
        let body = life.heartbeat(at: fleet.now, wallTime: fleet.wallTime)
        let sent = fleet.now
        connection.send(request("PUT", "heartbeat", extra: "Content-Type: application/json\r\n", body: body)) {
            [self] reply in
            fleet.answered(.heartbeat, status: reply?.status, seconds: (fleet.now - sent).inSeconds)
            guard let reply, reply.status == 200 else {
                beatFailed()
                return deliver()
            }
            let next = (try? JSONValue.parse(reply.body))?["next_in_s"]?.numberValue
            interval = min(max(next ?? 10, 1), 300)
            beatAgain(after: pushPace.taken(next: .seconds(interval), fraction: random.fraction()))
            deliver()
        }
    }

    private func sendEvents(_ connection: NodeConnection) {
        let batch = Array(outbox.prefix(16))
        var body = [UInt8(ascii: "[")]
        body += batch.joined(separator: [UInt8(ascii: ",")])
        body.append(UInt8(ascii: "]"))
        let type = "Content-Type: application/cloudevents-batch+json\r\n"
        let sent = fleet.now
        let sentInLife = life.life
        connection.send(request("POST", "events", extra: type, body: body)) { [self] reply in
            fleet.answered(.events, status: reply?.status, seconds: (fleet.now - sent).inSeconds)
            guard let reply, reply.status == 200 else { return deliverAgainLater() }
            reportBackoff.reset()
            fleet.took(batch.count, reply)
            if sentInLife == life.life { outbox.removeFirst(min(batch.count, outbox.count)) }
            deliver()
        }
    }

    private func deliverAgainLater() {
        guard !reportIsPaused else { return }
        reportIsPaused = true
        fleet.after(reportBackoff.next(fraction: random.fraction()).inSeconds) { [self] in
            reportIsPaused = false
            deliver()
        }
    }

    private func request(_ method: String, _ path: String, extra: String, body: [UInt8]?) -> ByteBuffer {
        var buffer = ByteBufferAllocator().buffer(capacity: 256 + (body?.count ?? 0))
        buffer.writeString("\(method) /api/v1/nodes/\(life.id)/\(path) HTTP/1.1\r\nHost: control-plane\r\n")
        buffer.writeString("Authorization: Bearer \(token)\r\n\(extra)")
        if let body { buffer.writeString("Content-Length: \(body.count)\r\n") }
        buffer.writeString("\r\n")
        if let body { buffer.writeBytes(body) }
        return buffer
    }
}

@available(*, unavailable)
extension SimulatedNode: Sendable {}
