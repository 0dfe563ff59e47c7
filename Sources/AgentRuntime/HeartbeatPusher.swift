internal import AgentCore
internal import AgentWire

/// Tells the control plane what the heartbeat says, for fleets whose nodes nobody can reach.
struct HeartbeatPusher: Sendable {
    /// Until the control plane has said how often.
    private static let usual = Duration.seconds(15)
    private static let unknown = Duration.seconds(600)
    private static let timeout = Duration.seconds(10)

    let settings: AgentSettings
    let ports: AgentPorts
    private let document: HeartbeatDocument
    private let wish: PushWish
    /// The control plane has taken one.
    private let taken: @Sendable () -> Void

    init(settings: AgentSettings, ports: AgentPorts, view: NodeView, taken: @escaping @Sendable () -> Void = {}) {
        self.settings = settings
        self.ports = ports
        wish = view.wish
        self.taken = taken
        document = HeartbeatDocument(view, clocks: ports.clocks)
    }

    /// nil while none is to be pushed.
    var interval: Duration? {
        switch settings.heartbeatPush {
        case .on: wish.interval ?? Self.usual
        case .asked: wish.interval
        case .off: nil
        }
    }

    func run() async {
        var news = HeartbeatNews()
        while !Task.isCancelled {
            if let interval { await push(every: interval, &news) }
            await wish.changed.wait()
        }
    }

    /// Until none is wanted any more.
    private func push(every first: Duration, _ news: inout HeartbeatNews) async {
        var pace = PushPace()
        var rest = pace.first(every: first, fraction: ports.random.fraction())
        while true {
            try? await Task.sleep(for: rest)
            guard !Task.isCancelled, let interval else { return }
            let response = await push(&news)
            if let status = response?.status, (200..<300).contains(status) { taken() }
            rest = Self.rest(after: response, usual: interval, &pace, fraction: ports.random.fraction())
        }
    }

    static func rest(
        after response: HTTPResponse?, usual: Duration, _ pace: inout PushPace, fraction: Double
    ) -> Duration {
        switch response?.status {
        case (200..<300)?:
            let asked = (try? JSONValue.parse(response?.body ?? []))?["next_in_s"]?.integerValue
            let isSensible = asked.map { PushWish.range.contains(Int(clamping: $0)) } ?? false
            return pace.taken(next: isSensible ? .seconds(asked ?? 0) : usual, fraction: fraction)
        // A control plane that wants none is asked rarely: it may be replaced by one that does.
        case 404, 405, 501: return pace.taken(next: unknown, fraction: fraction)
        default:
            return pace.failed(every: usual, retryAfter: response.flatMap(RetryAfter.of), fraction: fraction)
        }
    }

    private func push(_ news: inout HeartbeatNews) async -> HTTPResponse? {
        guard let document = document.bytes else { return nil }
        let url = "\(settings.controlPlaneURL)/api/v1/nodes/\(settings.nodeID)/heartbeat"
        var request = HTTPRequest(.put, url, timeout: Self.timeout)
        request.mayUseProxy = true
        request.maximumResponseBytes = 16 << 10
        request.headers = [
            ("Authorization", Secret("Bearer \(settings.nodeToken.reveal())")),
            ("Content-Type", Secret("application/json")),
        ]
        request.body = document
        let answer = await send(request)
        if !Task.isCancelled, let line = news.note(answer) { ports.log.write(line.level, line.text) }
        return try? answer.get()
    }

    private func send(_ request: HTTPRequest) async -> Result<HTTPResponse, HTTPFailure> {
        do throws(HTTPFailure) {
            return .success(try await ports.http.send(request))
        } catch {
            return .failure(error)
        }
    }
}
