internal import AgentCore
internal import AgentWire

/// Tells the control plane what the heartbeat says, for fleets whose nodes nobody can reach.
struct HeartbeatPusher: Sendable {
    /// Until the control plane has said how often.
    private static let usual = Duration.seconds(15)
    /// What a control plane may ask for.
    private static let range = 1...3600
    private static let unknown = Duration.seconds(600)
    private static let timeout = Duration.seconds(10)

    let settings: AgentSettings
    let ports: AgentPorts
    let view: NodeView
    /// The control plane has taken one.
    var taken: @Sendable () -> Void = {}

    func run() async {
        var backoff = Backoff(first: .seconds(2), longest: .seconds(60))
        // A fleet that boots at once does not begin at once.
        var rest = Self.usual * ports.random.fraction()
        while !Task.isCancelled {
            try? await Task.sleep(for: rest)
            guard !Task.isCancelled, let response = await push() else {
                rest = backoff.next(fraction: ports.random.fraction())
                continue
            }
            if (200..<300).contains(response.status) {
                backoff.reset()
                taken()
            }
            rest =
                Self.rest(after: response, fraction: ports.random.fraction())
                ?? backoff.next(
                    fraction: ports.random.fraction())
        }
    }

    /// nil where the answer says nothing about when: it is tried again with full jitter.
    static func rest(after response: HTTPResponse, fraction: Double) -> Duration? {
        let spread = 0.9 + 0.2 * fraction
        switch response.status {
        case 200..<300:
            let asked = (try? JSONValue.parse(response.body))?["next_in_s"]?.integerValue
            guard let asked, range.contains(Int(clamping: asked)) else { return usual * spread }
            return .seconds(asked) * spread
        // A control plane that wants none is asked rarely: it may be replaced by one that does.
        case 404, 405, 501: return unknown * spread
        default: return RetryAfter.of(response).map { $0 + .seconds(5) * fraction }
        }
    }

    private func push() async -> HTTPResponse? {
        guard let (node, sequence, outbox) = view.read() else { return nil }
        let url = "\(settings.controlPlaneURL)/api/v1/nodes/\(settings.nodeID)/heartbeat"
        var request = HTTPRequest(.put, url, timeout: Self.timeout)
        request.mayUseProxy = true
        request.maximumResponseBytes = 16 << 10
        request.headers = [
            ("Authorization", Secret("Bearer \(settings.nodeToken.reveal())")),
            ("Content-Type", Secret("application/json")),
        ]
        request.body = SnapshotCodec.heartbeat(
            node, outbox: outbox, sequence: sequence, wallTime: ports.clocks.wallTime()
        ).rendered()
        return try? await ports.http.send(request)
    }
}
