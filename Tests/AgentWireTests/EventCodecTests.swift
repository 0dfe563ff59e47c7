internal import AgentCore
internal import AgentTestKit
internal import AgentWire
internal import Testing

@Suite struct EventCodecTests {
    private func event(_ report: Report) throws -> JSONValue {
        var machine = NodeMachine()
        _ = machine.handle(.agentStarted, at: BootInstant(nanoseconds: 1_500_000_000))
        _ = machine.handle(.assignmentReceived(.sample()), at: BootInstant(nanoseconds: 2_000_000_000))
        let node = machine.snapshot(
            nodeID: "node-1", port: 8000, versions: NodeSnapshot.Versions(agent: "test"),
            at: BootInstant(nanoseconds: 2_000_000_000))
        let bytes = EventCodec.render(report, node: node, id: "abc", sequence: 12, wallTime: 1_763_755_200.25)
        return try JSONValue.parse(bytes)
    }

    @Test("An event is a CloudEvent of the node with a sortable sequence")
    func cloudEvent() throws {
        let event = try event(Report(.assignmentAccepted))
        #expect(event["specversion"] == .string("1.0"))
        #expect(event["type"] == .string("io.crosslogic.node.assignment_accepted.v1"))
        #expect(event["source"] == .string("/nodes/node-1"))
        #expect(event["sequence"] == .string("0000000000000012"))
        #expect(event["time"] == .string("2025-11-21T20:00:00.250Z"))
        #expect(event["data"]?["timeline"]?.arrayValue?.count == 2)
    }

    @Test("A failure carries class, remedy and how the process ended")
    func failure() throws {
        let report = FailureReport(.portInUse, message: "taken", process: "agent", evidence: ["a line"])
        let event = try event(Report(.failed, failure: report, exit: .signalled(signal: 9, coreDumped: false)))
        let failure = try #require(event["data"]?["failure"])
        #expect(failure["class"] == .string("port_in_use"))
        #expect(failure["signal"] == .integer(9))
        #expect(failure["exit_code"] == nil)
        #expect(failure["remedy"]?.stringValue?.isEmpty == false)
    }

    @Test("Nothing secret of the assignment is in an event")
    func secrets() throws {
        let text = String(decoding: try event(Report(.assignmentAccepted)).rendered(), as: UTF8.self)
        #expect(!text.contains("canary"))
    }

    @Test(
        "UTC is written without a calendar library, leap days included",
        arguments: [
            (0.0, "1970-01-01T00:00:00.000Z"), (951_782_400, "2000-02-29T00:00:00.000Z"),
            (1_709_251_199.999, "2024-02-29T23:59:59.999Z"), (4_102_444_800, "2100-01-01T00:00:00.000Z"),
        ])
    func time(seconds: Double, text: String) {
        #expect(WallClock.rfc3339(seconds) == text)
    }
}
