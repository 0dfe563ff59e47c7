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
        let versions = NodeSnapshot.Versions(agent: "test")
        view.publish(
            NodeMachine(settings: LifecycleSettings()).snapshot(
                nodeID: "node-1", port: 8000, versions: versions, at: BootInstant(nanoseconds: 0)))
        let routes = HeartbeatRoutes(view: view, clocks: SteppingClocks(), token: nil)
        #expect(try pending(routes) == 0)
        outbox.addSample("a")
        #expect(try pending(routes) == 1)
        await outbox.forget([try #require(outbox.first)])
        #expect(try pending(routes) == 0)
    }

    private func pending(_ routes: HeartbeatRoutes) throws -> Int64? {
        let reply = routes.reply(to: "/v1/heartbeat", authorization: nil)
        return try JSONValue.parse(reply.body)["outbox"]?["pending"]?.integerValue
    }
}
