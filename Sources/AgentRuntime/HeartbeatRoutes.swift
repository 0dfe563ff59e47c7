package import AgentCore
internal import AgentWire

/// The agent's HTTP answers as values; the server only carries them.
package struct HeartbeatRoutes: Sendable {
    package struct Reply: Equatable, Sendable {
        package var status: Int
        package var contentType: String
        package var body: [UInt8]
    }

    private let view: NodeView
    private let heartbeat: HeartbeatDocument
    private let token: Secret?

    package init(view: NodeView, clocks: any Clocks, token: Secret?) {
        self.view = view
        heartbeat = HeartbeatDocument(view, clocks: clocks)
        self.token = token
    }

    /// `path` is without the query; `authorization` the header's value, where there is one.
    package func reply(to path: String, authorization: String?) -> Reply {
        if path == "/healthz" { return text("ok\n") }
        guard isAllowed(authorization) else {
            return problem(401, "Unauthorized", "this node's heartbeat needs its bearer token")
        }
        if path == "/v1/heartbeat" { return heartbeat.bytes.map(json) ?? starting }
        guard let (node, version) = view.read() else { return starting }
        switch path {
        case "/v1/timeline": return json(SnapshotCodec.timelineDocument(node).rendered())
        case "/readyz":
            return node.isServing
                ? text("serving\n") : problem(503, "Service Unavailable", "not serving: \(node.status)")
        case "/metrics":
            let body = [UInt8](MetricsText.render(node, pendingEvents: version.outbox.pending).utf8)
            return Reply(status: 200, contentType: "text/plain; version=0.0.4; charset=utf-8", body: body)
        default:
            return problem(404, "Not Found", "try /v1/heartbeat, /v1/timeline, /readyz, /healthz or /metrics")
        }
    }

    /// Compares every byte, so that the time taken tells nothing about how many were right.
    private func isAllowed(_ authorization: String?) -> Bool {
        guard let expected = token?.reveal().utf8 else { return true }
        guard let given = Self.credentials(authorization ?? "") else { return false }
        var difference = expected.count ^ given.count
        var rest = given.makeIterator()
        for byte in expected { difference |= Int(byte ^ (rest.next() ?? 0)) }
        return difference == 0
    }

    /// What follows the scheme, which may be written in any case, and its blanks (RFC 9110 §11.4).
    private static func credentials(_ authorization: String) -> Substring.UTF8View? {
        var rest = authorization.utf8[...]
        for letter in "bearer".utf8 {
            guard let byte = rest.popFirst(), byte | 0x20 == letter else { return nil }
        }
        let credentials = rest.drop { $0 == 0x20 }
        return credentials.count < rest.count ? credentials : nil
    }

    private var starting: Reply { problem(503, "Service Unavailable", "the agent is starting") }

    private func json(_ body: [UInt8]) -> Reply {
        Reply(status: 200, contentType: "application/json", body: body)
    }

    private func text(_ text: String) -> Reply {
        Reply(status: 200, contentType: "text/plain; charset=utf-8", body: [UInt8](text.utf8))
    }

    private func problem(_ status: Int, _ title: String, _ detail: String) -> Reply {
        let body = JSONValue.object([
            "type": .string("about:blank"), "title": .string(title), "status": .integer(Int64(status)),
            "detail": .string(detail),
        ])
        return Reply(status: status, contentType: "application/problem+json", body: body.rendered())
    }
}
