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
    private let clocks: any Clocks
    private let token: Secret?

    package init(view: NodeView, clocks: any Clocks, token: Secret?) {
        self.view = view
        self.clocks = clocks
        self.token = token
    }

    /// `path` is without the query; `authorization` the header's value, where there is one.
    package func reply(to path: String, authorization: String?) -> Reply {
        if path == "/healthz" { return text("ok\n") }
        guard isAllowed(authorization) else {
            return problem(401, "Unauthorized", "this node's heartbeat needs its bearer token")
        }
        guard let (node, sequence, outbox) = view.read() else {
            return problem(503, "Service Unavailable", "the agent is starting")
        }
        switch path {
        case "/v1/heartbeat":
            return json(
                SnapshotCodec.heartbeat(
                    node, outbox: outbox, sequence: sequence, wallTime: clocks.wallTime()))
        case "/v1/timeline": return json(SnapshotCodec.timelineDocument(node))
        case "/readyz":
            return node.isServing
                ? text("serving\n") : problem(503, "Service Unavailable", "not serving: \(node.status)")
        case "/metrics":
            let body = [UInt8](MetricsText.render(node, pendingEvents: outbox.pending).utf8)
            return Reply(status: 200, contentType: "text/plain; version=0.0.4; charset=utf-8", body: body)
        default:
            return problem(404, "Not Found", "try /v1/heartbeat, /v1/timeline, /readyz, /healthz or /metrics")
        }
    }

    /// Compares every byte, so that the time taken tells nothing about how many were right.
    private func isAllowed(_ authorization: String?) -> Bool {
        guard let token else { return true }
        let expected = [UInt8]("Bearer \(token.reveal())".utf8)
        let given = [UInt8]((authorization ?? "").utf8)
        var difference = expected.count ^ given.count
        for index in expected.indices {
            difference |= Int(expected[index] ^ (index < given.count ? given[index] : 0))
        }
        return difference == 0
    }

    private func json(_ value: JSONValue) -> Reply {
        Reply(status: 200, contentType: "application/json", body: value.rendered())
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
