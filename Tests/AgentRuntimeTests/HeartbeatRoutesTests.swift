internal import AgentCore
internal import AgentTestKit
internal import AgentWire
internal import Testing

@testable internal import AgentRuntime

@Suite struct HeartbeatRoutesTests {
    @Test("Pending events are counted when somebody asks, not when the state last changed")
    func livePending() async throws {
        let outbox = Outbox.sample()
        let view = NodeView()
        view.watch(outbox)
        view.publish(sample(at: BootInstant(nanoseconds: 0)))
        let routes = HeartbeatRoutes(view: view, clocks: SteppingClocks(), token: nil)
        #expect(try pending(routes) == 0)
        outbox.addSample("a")
        #expect(try pending(routes) == 1)
        await outbox.forget([try #require(outbox.first)])
        #expect(try pending(routes) == 0)
    }

    @Test("Times are those of the snapshot, however much later somebody asks")
    func onePointInTime() throws {
        let clocks = SteppingClocks()
        let view = NodeView()
        let taken = clocks.now()
        view.publish(sample(at: taken))
        for _ in 0..<1500 { _ = clocks.now() }
        let routes = HeartbeatRoutes(view: view, clocks: clocks, token: nil)
        let body = try JSONValue.parse(routes.reply(to: "/v1/heartbeat", authorization: nil).body)
        #expect(body["monotonic_ns"] == .integer(taken.nanoseconds))
        // The wall clock stands at 20:00:00, and the steps were a millisecond each.
        #expect(body["time"] == .string("2025-11-21T19:59:58.499Z"))
    }

    @Test("A new snapshot is a new document with the next sequence; the same one is sent byte for byte")
    func versions() throws {
        let view = NodeView()
        let routes = HeartbeatRoutes(view: view, clocks: SteppingClocks(), token: nil)
        #expect(routes.reply(to: "/v1/heartbeat", authorization: nil).status == 503)
        view.publish(sample(at: BootInstant(nanoseconds: 1)))
        let first = routes.reply(to: "/v1/heartbeat", authorization: nil)
        #expect(routes.reply(to: "/v1/heartbeat", authorization: nil) == first)
        view.publish(sample(at: BootInstant(nanoseconds: 2)))
        let second = try JSONValue.parse(routes.reply(to: "/v1/heartbeat", authorization: nil).body)
        #expect(try JSONValue.parse(first.body)["sequence"] == .integer(1))
        #expect(second["sequence"] == .integer(2))
        #expect(second["monotonic_ns"] == .integer(2))
    }

    @Test(
        "Only the whole token opens, and everything but /healthz is behind it",
        arguments: [
            nil, "", "Bearer ", "Bearer tokem", "Bearer toke", "Bearer token ", "Bearertoken", "Bear", "Basic token",
            "Bearer token", "bearer token", "BEARER  token",
        ])
    func token(authorization: String?) {
        let view = NodeView()
        view.publish(sample(at: BootInstant(nanoseconds: 1)))
        let routes = HeartbeatRoutes(view: view, clocks: SteppingClocks(), token: Secret("token"))
        for path in ["/v1/heartbeat", "/v1/timeline", "/metrics"] {
            let status = routes.reply(to: path, authorization: authorization).status
            let isRight = ["Bearer token", "bearer token", "BEARER  token"].contains(authorization)
            #expect(status == (isRight ? 200 : 401))
        }
        #expect(routes.reply(to: "/healthz", authorization: authorization).status == 200)
    }

    private func sample(at now: BootInstant) -> NodeSnapshot {
        NodeMachine(settings: LifecycleSettings()).snapshot(
            nodeID: "node-1", port: 8000, versions: NodeSnapshot.Versions(agent: "test"), at: now)
    }

    private func pending(_ routes: HeartbeatRoutes) throws -> Int64? {
        let reply = routes.reply(to: "/v1/heartbeat", authorization: nil)
        return try JSONValue.parse(reply.body)["outbox"]?["pending"]?.integerValue
    }
}
