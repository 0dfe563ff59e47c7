internal import AgentCore
internal import AgentTestKit
internal import Testing

@Suite struct NodeMachineDrainTests {
    @Test("While serving: kept on disk first, then counted, then told and drained")
    func serving() throws {
        var script = MachineScript(MachineScript.onAWS + MachineScript.serving)
        let first = script.notice(in: 120)
        guard case .preempt(.persist(_, isOver: false))? = first.first else {
            Issue.record("not persisted first")
            return
        }
        #expect(first.contains(.preempt(.countRequests)))
        #expect(script.state == "draining")
        let second = script.on(.counted(3, drains: .seconds(116)))
        let said = try #require(second.preemption(.preemption))
        #expect(said.inFlight == 3)
        #expect(said.place.cloud == .aws)
        #expect(second.contains(.terminateEngine))
        // A second has passed; three are kept in reserve.
        #expect(second.arms(.kill) == .seconds(116))
        #expect(!script.machine.showsServing)
    }

    @Test("What finished and what was cut is the last word, and nothing is started any more")
    func lastWord() throws {
        var script = MachineScript(MachineScript.onAWS + MachineScript.serving)
        script.notice(in: 120)
        script.on(.counted(3, drains: .seconds(116)))
        script.on(.counted(1, drains: .seconds(116)))
        script.on(.engineExited(.exited(code: 0)))
        let end = script.on(.engineGone)
        let outcome = try #require(end.preemption(.preempted)?.outcome)
        #expect(outcome.finished == 3)
        #expect(outcome.cut == 0)
        #expect(outcome.used == .seconds(4))
        #expect(outcome.left == .seconds(116))
        #expect(!end.contains { if case .prepare = $0 { true } else { false } })
        #expect(script.state == "stopped")
        #expect(script.on(.assignmentReceived(.sample(generation: 2))).contains(.report(Report(.assignmentAccepted))))
        #expect(script.machine.timeline[.preflightDone] == nil)
    }

    @Test("What is still running at the cut counts as cut")
    func cut() throws {
        var script = MachineScript(MachineScript.onAWS + MachineScript.serving)
        script.notice(in: 120)
        script.on(.counted(3, drains: .seconds(116)))
        script.on(.counted(2, drains: .seconds(116)))
        #expect(script.on(.timerFired(.kill)).contains(.killEngine))
        script.on(.engineExited(.signalled(signal: 9, coreDumped: false)))
        let outcome = try #require(script.on(.engineGone).preemption(.preempted)?.outcome)
        #expect(outcome.finished == 1)
        #expect(outcome.cut == 2)
    }

    @Test("An engine whose own time was over has cut what was left")
    func ownTimeOver() throws {
        var script = MachineScript(MachineScript.onAWS + MachineScript.serving)
        script.notice(in: 120)
        script.on(.counted(3, drains: .seconds(3)))
        script.on(.counted(1, drains: .seconds(3)))
        // It has let go of the last one by itself.
        script.on(.counted(0, drains: .seconds(3)))
        script.on(.engineExited(.exited(code: 0)))
        #expect(script.on(.engineGone).preemption(.preempted)?.outcome?.cut == 1)
    }

    @Test("Without requests in flight the engine is stopped at once")
    func idle() {
        var script = MachineScript(MachineScript.onAWS + MachineScript.serving)
        script.notice(in: 120)
        let actions = script.on(.counted(0, drains: nil))
        #expect(actions.contains(.terminateEngine))
        #expect(actions.arms(.kill) == script.machine.settings.teardown)
    }

    @Test("An engine that drops everything on SIGTERM is watched until it is idle")
    func oldEngine() {
        var script = MachineScript(MachineScript.onAWS + MachineScript.serving)
        script.notice(in: 120)
        let first = script.on(.counted(2, drains: nil))
        #expect(!first.contains(.terminateEngine))
        #expect(first.arms(.preemption(.cut)) == .seconds(116))
        #expect(script.on(.timerFired(.preemption(.count))) == [.preempt(.countRequests)])
        #expect(script.on(.counted(0, drains: nil)).contains(.terminateEngine))
    }

    @Test("An engine nobody can count is killed at the cut and not before")
    func uncountable() {
        var script = MachineScript(MachineScript.onAWS + MachineScript.serving)
        script.notice(in: 120)
        #expect(script.on(.counted(nil, drains: nil)).arms(.preemption(.cut)) != nil)
        #expect(script.on(.timerFired(.preemption(.cut))).contains(.killEngine))
        script.on(.engineExited(.signalled(signal: 9, coreDumped: false)))
        let outcome = script.on(.engineGone).preemption(.preempted)?.outcome
        #expect(outcome?.finished == nil)
        #expect(outcome?.cut == nil)
    }

    @Test(
        "Before it serves there is nothing to drain: stop, and say so",
        arguments: [
            MachineScript.booted, MachineScript.preparing, MachineScript.starting, MachineScript.loading,
            MachineScript.verifying,
        ])
    func notReady(history: [NodeEvent]) throws {
        var script = MachineScript(MachineScript.onAWS + history)
        let actions = script.notice(in: 120)
        #expect(actions.preemption(.preemption)?.inFlight == 0)
        #expect(!actions.contains(.preempt(.countRequests)))
        #expect(!script.machine.showsServing)
        if script.machine.hasEngine {
            #expect(actions.contains(.terminateEngine))
            #expect(actions.arms(.secondTerminate) != nil)
            script.on(.engineExited(.signalled(signal: 15, coreDumped: false)))
            #expect(script.on(.engineGone).preemption(.preempted)?.outcome?.cut == 0)
        } else {
            #expect(actions.preemption(.preempted)?.outcome?.cut == 0)
        }
        #expect(script.state == "stopped")
    }

    @Test("A preparation that was on its way starts no engine")
    func preparing() {
        var script = MachineScript(MachineScript.onAWS + MachineScript.preparing)
        script.notice(in: 120)
        #expect(script.on(.prepared(generation: 1)).isEmpty)
        #expect(script.state == "stopped")
    }

    @Test("Waiting to try again ends with the notice")
    func backoff() {
        let failed = FailureReport(.engineDied, message: "died")
        var script = MachineScript(
            MachineScript.onAWS + MachineScript.preparing + [.preparationFailed(generation: 1, failed)])
        #expect(script.notice(in: 120).contains(.cancel(.backoff)))
        #expect(script.on(.timerFired(.backoff)).isEmpty)
    }

    @Test("A start is ended before the cut as well, however near it is", arguments: [0, 1, 4])
    func startBeforeTheCut(seconds: Int64) throws {
        var script = MachineScript(MachineScript.onAWS + MachineScript.loading)
        let actions = script.notice(in: seconds, .hibernate)
        #expect(actions.contains(.terminateEngine))
        #expect(try #require(actions.arms(.kill)) <= .seconds(seconds))
        #expect(actions.arms(.secondTerminate) == nil)
    }

    @Test("Whichever source spoke first, each that waits for a word gets one when the node is done")
    func approvals() {
        var script = MachineScript(MachineScript.onAWS + MachineScript.preparing)
        script.notice(in: 3600, from: "control_plane")
        let actions = script.notice(in: 8, mark: "", from: "azure")
        #expect(actions.contains(.preempt(.approve(noticeID: "control_plane/end/m"))))
        #expect(actions.contains(.preempt(.approve(noticeID: "azure/end"))))
    }
}
