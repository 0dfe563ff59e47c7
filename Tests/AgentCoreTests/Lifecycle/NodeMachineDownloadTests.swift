internal import AgentCore
internal import AgentTestKit
internal import Testing

@Suite("A model that is downloaded before its engine is started")
struct NodeMachineDownloadTests {
    private static let cold = ModelDownload(state: .cold, missingBytes: 1000, totalBytes: 1000)
    private static let begun = MachineScript.preparing + [.downloadBegan(generation: 1, cold)]

    @Test("It is a phase of its own, with bytes, and its time is told apart from the preflight's")
    func phase() {
        var script = MachineScript(Self.begun)
        script.on(.downloadMoved(generation: 1, bytes: 400))
        #expect(script.state == "preparing")
        #expect(script.machine.progress?.bytes == 400)
        #expect(script.machine.progress?.fraction == 0.4)
        script.on(.prepared(generation: 1))
        #expect(script.machine.progress == nil)
        let spans = script.machine.snapshot(
            nodeID: "n", port: 1, versions: NodeSnapshot.Versions(agent: "1"), at: script.next
        ).account.spans
        #expect(spans.map(\.phase).prefix(2) == [.preflightDone, .downloading])
        #expect(spans.first { $0.phase == .downloading }?.bytes == 1000)
    }

    @Test("A warm cache is told and is no phase")
    func warm() {
        var script = MachineScript(MachineScript.preparing)
        let download = ModelDownload(state: .warm, missingBytes: 0, totalBytes: 1000)
        let actions = script.on(.downloadBegan(generation: 1, download))
        #expect(actions == [.tell(.downloadBegan(download))])
        #expect(script.machine.timeline[.downloading] == nil)
        #expect(script.machine.download == download)
    }

    @Test("A newer assignment ends it at once and is prepared when it has answered")
    func overtaken() {
        var script = MachineScript(Self.begun)
        let newer = Assignment.sample(generation: 2)
        #expect(script.on(.assignmentReceived(newer)).last == .abandonPreparation)
        #expect(script.on(.downloadMoved(generation: 1, bytes: 9)).isEmpty)
        #expect(script.machine.progress == nil)
        #expect(script.on(.assignmentReceived(.sample(generation: 3))).contains(.abandonPreparation) == false)
        #expect(script.on(.preparationAbandoned(generation: 1)) == [.prepare(.sample(generation: 3))])
    }

    @Test("Stop, revocation and the end of the machine end it", arguments: ["stop", "revoked", "notice"])
    func ended(by end: String) {
        var script = MachineScript(Self.begun)
        let sighting = Sighting(.terminate, origin: "end", deadline: BootInstant(nanoseconds: 30_000_000_000))
        let events: [String: NodeEvent] = [
            "stop": .stopRequested, "revoked": .assignmentRevoked,
            "notice": .preemption(.found(.listed(key: "end", [sighting]), source: "aws")),
        ]
        guard let event = events[end] else { return }
        #expect(script.on(event).contains(.abandonPreparation))
        #expect(script.on(.preparationAbandoned(generation: 1)).isEmpty)
    }

    @Test("What was downloaded is not expected from the network again")
    func notStreamed() {
        var script = MachineScript(MachineScript.preparing)
        script.on(.preflightDone(generation: 1, PreflightReport(findings: [], weightBytes: 1000, seconds: 1)))
        script.on(.downloadBegan(generation: 1, Self.cold))
        script.on(.prepared(generation: 1))
        script.on(.engineStarted(pid: 100))
        script.on(.logFact(.weightsProgress(done: 1, total: 4, unit: .files)))
        #expect(script.machine.progress?.totalBytes == nil)
        #expect(script.machine.progress?.fraction == 0.25)
    }

    @Test("A load that was streamed teaches, and so does one that failed for want of memory")
    func lessons() {
        var assignment = Assignment.sample()
        assignment.gpu = "A100"
        var script = MachineScript([.agentStarted, .assignmentReceived(assignment)])
        for event: NodeEvent in [
            .prepared(generation: 1), .engineStarted(pid: 100), .logFact(.version("0.32.0")),
            .logFact(.streamConcurrency(16)),
            .logFact(.streamed(bytes: 1e9, seconds: 2, bytesPerSecond: 5e8)), .logFact(.startupComplete),
            .healthAnswered(.healthy),
        ] { script.on(event) }
        let key = LoadKey(model: assignment.model, gpu: "A100", region: "unknown")
        let ready = script.on(.canaryAnswered(took: .milliseconds(1)))
        #expect(ready.contains(.learn(.measured(MeasuredLoad(concurrency: 16, bytesPerSecond: 5e8)), key)))

        var other = MachineScript([.agentStarted, .assignmentReceived(assignment)])
        let failed = other.on(
            .preparationFailed(generation: 1, FailureReport(.hostOutOfMemory, message: "killed", process: "agent")))
        let learned = failed.contains { if case .learn(.steppedDown(let steps), key) = $0 { steps.count == 2 } else { false } }
        #expect(learned)
    }
}
