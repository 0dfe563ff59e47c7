internal import AgentCore
internal import AgentTestKit
internal import Testing

/// A new assignment while an engine loads or serves.
@Suite struct NodeMachineSuccessorTests {
    private static let second = Assignment.sample(generation: 2)
    private static let arrival = NodeEvent.assignmentReceived(second)
    private static let fatal = FailureReport(.modelMissing, message: "no such model")
    private static let passing = FailureReport(.endpointUnreachable, message: "refused")

    private static func next(_ script: MachineScript) -> NodeSnapshot.Next? { node(script).next }

    private static func node(_ script: MachineScript) -> NodeSnapshot {
        script.machine.snapshot(nodeID: "n", port: 8000, versions: NodeSnapshot.Versions(agent: "test"), at: script.now)
    }

    @Test("It is proved first; then the engine before it drains, and it is started")
    func proved() {
        var script = MachineScript(MachineScript.serving)
        let actions = script.on(Self.arrival)
        #expect(actions.contains(.prove(Self.second)))
        #expect(!actions.contains(.terminateEngine))
        #expect(script.state == "serving")
        #expect(script.machine.generation == 1)
        #expect(Self.next(script)?.standing == .proving)

        let report = PreflightReport(findings: [.ok(.model, "there")], seconds: 0.1)
        script.on(.preflightDone(generation: 2, report))
        #expect(Self.next(script)?.preflight == report)
        let switched = script.on(.proved(generation: 2))
        #expect(switched.contains(.terminateEngine))
        #expect(switched.contains(.report(.ending(.draining, because: "assignment_changed"))))
        script.on(.engineExited(.exited(code: 0)))
        let gone = script.on(.engineGone)
        #expect(gone.contains(.prepare(Self.second)))
        #expect(gone.reports == [.assignmentAccepted])
        #expect(script.machine.generation == 2)
        #expect(script.machine.preflight == report)
        #expect(Self.next(script) == nil)
        #expect(script.on(.prepared(generation: 2)) == [.startEngine(generation: 2)])
    }

    @Test("A load is given up only for one that is proved", arguments: [0, 1, 2])
    func whileLoading(history: Int) {
        var script = MachineScript([MachineScript.starting, MachineScript.loading, MachineScript.verifying][history])
        let state = script.state
        #expect(!script.on(Self.arrival).contains(.terminateEngine))
        #expect(script.state == state)
        #expect(script.on(.proved(generation: 2)).contains(.terminateEngine))
        script.on(.engineExited(.exited(code: 0)))
        #expect(script.on(.engineGone).contains(.prepare(Self.second)))
    }

    @Test("One that cannot work leaves what runs as it is, and is told with class and remedy")
    func refused() throws {
        var script = MachineScript(MachineScript.serving + [Self.arrival])
        let actions = script.on(.preparationFailed(generation: 2, Self.fatal))
        #expect(actions.contains(.report(.failed(Self.fatal, of: Self.second))))
        #expect(actions.arms(.backoff) == nil)
        #expect(script.state == "serving")
        #expect(script.machine.failure == nil)
        #expect(Self.next(script)?.standing == .refused(Self.fatal))
        #expect(Self.node(script).status.contains("assignment 2 (acme/tiny-llama) refused: model_missing"))
        // It does not come back by itself, and what runs is started again.
        script.on(.engineExited(.exited(code: 1)))
        script.on(.failureExplained(FailureReport(.engineDied, message: "died")))
        #expect(script.on(.engineGone).arms(.backoff) != nil)
        #expect(script.on(.timerFired(.backoff)).contains(.prepare(.sample())))
        #expect(Self.next(script)?.standing == .refused(Self.fatal))
    }

    @Test("One that cannot work now is tried again while what runs goes on")
    func triedAgain() {
        var script = MachineScript(MachineScript.serving + [Self.arrival])
        let actions = script.on(.preparationFailed(generation: 2, Self.passing))
        #expect(actions.reports == [.failed])
        #expect(actions.arms(.backoff) == .seconds(1))
        #expect(Self.next(script)?.standing == .waiting(Self.passing))
        #expect(script.on(.timerFired(.backoff)) == [.prove(Self.second)])
        #expect(script.on(.preparationFailed(generation: 2, Self.passing)).arms(.backoff) == .seconds(2))
        script.on(.timerFired(.backoff))
        #expect(script.on(.proved(generation: 2)).contains(.terminateEngine))
    }

    @Test("A newer one takes its place: one preparation at a time, and the overtaken one answers first")
    func overtaken() {
        var script = MachineScript(MachineScript.serving + [Self.arrival])
        let third = Assignment.sample(generation: 3)
        let actions = script.on(.assignmentReceived(third))
        #expect(actions.contains(.abandonPreparation))
        #expect(!actions.contains(.prove(third)))
        #expect(script.on(.preparationAbandoned(generation: 2)) == [.prove(third)])
        // That it came too late to be abandoned changes nothing.
        #expect(script.on(.proved(generation: 3)).contains(.terminateEngine))
    }

    @Test("A proof that was overtaken ends no engine")
    func lateProof() {
        let third = Assignment.sample(generation: 3)
        var script = MachineScript(MachineScript.serving + [Self.arrival, .assignmentReceived(third)])
        #expect(script.on(.proved(generation: 2)) == [.prove(third)])
        #expect(script.state == "serving")
    }

    @Test("One that is refused makes way for the next")
    func afterRefusal() {
        var script = MachineScript(MachineScript.serving + [Self.arrival])
        script.on(.preparationFailed(generation: 2, Self.fatal))
        let third = Assignment.sample(generation: 3)
        #expect(script.on(.assignmentReceived(third)).contains(.prove(third)))
        #expect(script.on(Self.arrival) == [.tell(.staleAssignment(generation: 2, current: 3))])
    }

    @Test("Back to what runs, with new credentials, takes it back")
    func takenBack() {
        var script = MachineScript(MachineScript.serving + [.assignmentReceived(.sample(generation: 2, model: "a/b"))])
        var renewed = Assignment.sample(generation: 3)
        renewed.store.secretAccessKey = Secret("another")
        let actions = script.on(.assignmentReceived(renewed))
        #expect(actions.contains(.renewCredentials(renewed)))
        #expect(actions.contains(.abandonPreparation))
        #expect(Self.next(script) == nil)
        script.on(.preparationAbandoned(generation: 2))
        #expect(script.state == "serving")
    }

    @Test("An engine that dies meanwhile is followed by what is wanted, and its failure is told")
    func diesMeanwhile() {
        var script = MachineScript(MachineScript.serving + [Self.arrival])
        script.on(.engineExited(.exited(code: 1)))
        #expect(script.on(.failureExplained(FailureReport(.engineDied, message: "died"))).reports == [.failed])
        // The proof goes on, and is not asked for twice.
        let gone = script.on(.engineGone)
        #expect(gone.reports == [.assignmentAccepted])
        #expect(!gone.contains(.prepare(Self.second)))
        #expect(script.on(.proved(generation: 2)) == [.prepare(Self.second)])
    }

    @Test("On a notice the engine drains, and what was to follow waits")
    func notice() {
        var script = MachineScript(MachineScript.serving + [Self.arrival])
        let sighting = Sighting(.terminate, origin: "end", deadline: script.now + .seconds(20))
        let found = script.on(.preemption(.found(.listed(key: "end", [sighting]), source: "aws")))
        #expect(found.contains(.abandonPreparation))
        script.on(.preemption(.counted(0, engineDrains: .seconds(30))))
        script.on(.preparationAbandoned(generation: 2))
        script.on(.engineExited(.exited(code: 0)))
        #expect(!script.on(.engineGone).contains(.prepare(Self.second)))
        // Once may be a mistake of the source.
        let nothing = NodeEvent.preemption(.found(.listed(key: "end", []), source: "aws"))
        script.on(nothing)
        #expect(script.on(nothing).contains(.prepare(Self.second)))
    }

    @Test("A download goes on beside the engine, and is known to the start that follows")
    func download() {
        var script = MachineScript(MachineScript.serving + [Self.arrival])
        let download = ModelDownload(state: .cold, missingBytes: 100, totalBytes: 100)
        script.on(.downloadBegan(generation: 2, download))
        script.on(.downloadMoved(generation: 2, bytes: 50))
        #expect(Self.next(script)?.progress?.fraction == 0.5)
        #expect(Self.node(script).progress == nil)
        for event: NodeEvent in [.proved(generation: 2), .engineExited(.exited(code: 0)), .engineGone] {
            script.on(event)
        }
        #expect(script.machine.download == download)
    }

    @Test("Whoever stops the agent stops all of it")
    func stopped() {
        var script = MachineScript(MachineScript.serving + [Self.arrival, .stopRequested])
        script.on(.preparationAbandoned(generation: 2))
        script.on(.engineExited(.exited(code: 0)))
        #expect(script.on(.engineGone).reports == [.stopped])
    }
}
