internal import AgentCore
internal import AgentTestKit
internal import Testing

@Suite struct NodeMachineAdoptionTests {
    private static let loaded: [Phase] = [.agentStarted, .assignmentReceived, .preflightDone, .engineExec, .modelInit]
    private static let execution = BootInstant(nanoseconds: 3_000_000_000)

    private static func adopted(_ handover: Handover, pid: Int32? = 100) -> (MachineScript, [NodeAction]) {
        var script = MachineScript()
        let actions = script.on(.engineAdopted(handover, pid: pid, startedAt: execution))
        return (script, actions)
    }

    @Test("An engine that served serves on: READY at once, and no second report of it")
    func serving() {
        let handover = Handover.sample(phases: Self.loaded + [.healthOK, .firstToken])
        var (script, actions) = Self.adopted(handover)
        #expect(script.state == "serving")
        #expect(actions.contains(.notifyReady))
        #expect(actions.reports == [])
        #expect(script.machine.timeline == handover.timeline)
        #expect(script.on(.agentStarted).reports == [.agentStarted])
        #expect(script.machine.timeline == handover.timeline)
    }

    @Test("A start goes on where it was, and becomes ready as any other")
    func loading() {
        var (script, actions) = Self.adopted(.sample(phases: Self.loaded))
        #expect(script.state == "loading")
        #expect(!actions.contains(.notifyReady))
        #expect(script.on(.healthAnswered(.healthy)).contains(.sendCanary(model: "acme/tiny-llama")))
        #expect(script.on(.canaryAnswered(took: .milliseconds(1))).reports == [.ready])
    }

    @Test("An execution that nobody has told yet is told now, with the time it happened")
    func untoldExecution() {
        let (script, actions) = Self.adopted(.sample(phases: [.agentStarted, .assignmentReceived, .preflightDone]))
        #expect(actions.reports == [.phase])
        #expect(script.machine.timeline[.engineExec] == Self.execution)
    }

    @Test("Lines of the log that are read again are no news")
    func logReadAgain() {
        var (script, _) = Self.adopted(.sample(phases: Self.loaded))
        #expect(script.on(.logFact(.modelLoadStarted)).reports == [])
    }

    @Test("The assignment it knows already is no news; a newer one replaces the engine")
    func assignments() {
        var (script, _) = Self.adopted(.sample(generation: 3, phases: Self.loaded))
        #expect(script.on(.assignmentReceived(.sample(generation: 3))) == [])
        #expect(script.on(.assignmentReceived(.sample(generation: 4))).contains(.prove(.sample(generation: 4))))
        #expect(script.on(.proved(generation: 4)).contains(.terminateEngine))
    }

    @Test("What the earlier agent tried with other settings is no news either; a change under its number is refused")
    func knownAssignments() {
        var handover = Handover.sample(generation: 3, phases: Self.loaded)
        handover.assignment = handover.assignment.with([SettingChange(setting: .concurrency, from: 32, to: 16)])
        var (script, _) = Self.adopted(handover)
        #expect(script.on(.assignmentReceived(.sample(generation: 3))) == [])
        let actions = script.on(.assignmentReceived(.sample(generation: 3, model: "acme/other")))
        #expect(actions.contains(.report(.rejected(3, [.changedWish(3)]))))
        #expect(script.state == "loading")
    }

    @Test("An engine that ended while no agent was there is told as failed and started again")
    func endedMeanwhile() {
        var (script, _) = Self.adopted(.sample(phases: Self.loaded), pid: nil)
        script.on(.engineExited(.signalled(signal: 9, coreDumped: false)))
        script.on(.engineGone)
        let actions = script.on(.failureExplained(FailureReport(.engineDied, message: "died")))
        #expect(actions.reports == [.failed])
        #expect(actions.arms(.backoff) != nil)
    }

    @Test("SIGUSR2 leaves the engine alone, unless the agent is leaving for good")
    func restart() {
        for history in [MachineScript.booted, MachineScript.preparing, MachineScript.loading, MachineScript.serving] {
            var script = MachineScript(history)
            let state = script.state
            #expect(script.on(.restartRequested) == [.handOver])
            #expect(script.state == state)
        }
        var draining = MachineScript(MachineScript.draining)
        #expect(draining.on(.restartRequested) == [])
    }

    @Test("There is something to hand over exactly while an engine is to go on, or its failure is to be told")
    func handover() {
        #expect(MachineScript(MachineScript.preparing).machine.handover == nil)
        #expect(MachineScript(MachineScript.draining).machine.handover == nil)
        var script = MachineScript(MachineScript.serving)
        #expect(script.machine.handover?.timeline[.firstToken] != nil)
        script.on(.engineExited(.exited(code: 0)))
        #expect(script.machine.handover != nil)
        script.on(.failureExplained(FailureReport(.engineDied, message: "died")))
        #expect(script.machine.handover == nil)
    }

    @Test("An engine that drains on a notice is the successor's, who lets it finish until the same cut")
    func drainGoesOn() throws {
        var script = MachineScript(MachineScript.onAWS + MachineScript.serving)
        script.notice(in: 120)
        script.on(.counted(3, drains: .seconds(116)))
        #expect(script.machine.hasEngine)
        let (handover, notice) = (try #require(script.machine.handover), try #require(script.machine.notices.notice))
        script.on(.engineExited(.exited(code: 0)))
        #expect(script.machine.handover == nil)

        var (successor, _) = Self.adopted(handover)
        for event in MachineScript.onAWS { successor.on(event) }
        while successor.now <= script.now { successor.on(.nothing) }
        #expect(successor.on(.preemption(.resumed(notice, isOver: false))).contains(.preempt(.countRequests)))
        let actions = successor.on(.counted(2, drains: .seconds(116)))
        #expect(actions.preemption(.preemption)?.inFlight == 2)
        #expect(actions.preemption(.preemption)?.isResumed == true)
        #expect(actions.contains(.terminateEngine))
        #expect(try #require(actions.arms(.kill)) == notice.deadline + .seconds(-3) - successor.now)
    }
}
