internal import AgentCore

/// Keeps a connection open to whoever takes urgent events: a name to look up, TCP and TLS may cost more than a machine
/// that is about to go has left.
///
/// The urgent client has no other work, so that no long poll takes its connection and no other transfer's trouble with
/// names holds it up. Asking what the events endpoint allows (RFC 9110 §9.3.7) is the cheapest question there is: any
/// answer will do, and none of them touches anything.
struct ConnectionKeeper: Sendable {
    /// Servers and proxies drop what is idle for a minute.
    private static let usual = Duration.seconds(45)
    /// A server that drops it sooner says so; nobody is asked more often than this.
    private static let shortest = Duration.seconds(4)
    private static let timeout = Duration.seconds(10)

    let outbox: Outbox
    let ports: AgentPorts

    func run() async {
        var backoff = Backoff(first: .seconds(1), longest: Self.usual)
        while !Task.isCancelled {
            let rest: Duration
            if let headers = await touch() {
                backoff.reset()
                rest = Self.rest(after: headers, fraction: ports.random.fraction())
            } else {
                rest = backoff.next(fraction: ports.random.fraction())
            }
            try? await Task.sleep(for: rest)
        }
    }

    /// The answer's headers; nil when there was none.
    private func touch() async -> [String: String]? {
        var request = HTTPRequest(.options, outbox.urgentURL, timeout: Self.timeout)
        request.mayUseProxy = true
        request.maximumResponseBytes = 64 << 10
        return try? await ports.urgent.send(request).headers
    }

    /// Spread over a fifth, so that a fleet that began at once does not ask at once for ever.
    static func rest(after headers: [String: String], fraction: Double) -> Duration {
        var rest = usual
        if let seconds = idleSeconds(headers["keep-alive"] ?? "") {
            rest = max(min(usual, .milliseconds(seconds * 800)), shortest)
        }
        return rest * (1 - 0.2 * fraction)
    }

    /// `timeout=5, max=1000` (RFC 2068 §19.7.1.1, as servers still send it).
    private static func idleSeconds(_ header: String) -> Int? {
        for part in header.split(separator: ",") {
            let pair = part.split(separator: "=").map { $0.filter { !$0.isWhitespace } }
            if pair.count == 2, pair[0].lowercased() == "timeout" { return Int(pair[1]).map { min(max($0, 0), 3600) } }
        }
        return nil
    }
}
