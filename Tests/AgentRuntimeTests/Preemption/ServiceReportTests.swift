internal import AgentCore
internal import Testing

@testable internal import AgentRuntime

@Suite struct ServiceReportTests {
    @Test(
        "The service manager waits for a drain until its cut, and for the rest of the way out", arguments: [nil, 120])
    func patience(seconds: Int64?) {
        var machine = NodeMachine()
        let now = BootInstant(nanoseconds: 0)
        if let seconds {
            let sighting = Sighting(.terminate, origin: "end", deadline: now + .seconds(seconds))
            _ = machine.handle(
                .preemption(.found(.listed(key: "end", [sighting]), source: "aws")), at: now)
        }
        let node = machine.snapshot(
            nodeID: "node", port: 8000, versions: NodeSnapshot.Versions(agent: "test"), at: now)
        #expect(ServiceReport.patience(node, 30) == (seconds == nil ? 90 : 177))
    }
}
