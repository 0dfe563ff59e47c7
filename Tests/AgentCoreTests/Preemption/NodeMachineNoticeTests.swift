internal import AgentCore
internal import AgentTestKit
internal import Testing

@Suite struct NodeMachineNoticeTests {
    @Test("A notice of an hour is told at once; the model serves until its time has come")
    func farAway() {
        var script = MachineScript(MachineScript.onAWS + MachineScript.serving)
        let actions = script.notice(in: 3600)
        #expect(actions.preemption(.preemption) != nil)
        #expect(actions.arms(.preemption(.begin)) == .seconds(3600 - 125))
        #expect(script.state == "serving")
        #expect(script.machine.showsServing)
        #expect(script.on(.timerFired(.preemption(.begin))).contains(.preempt(.countRequests)))
        #expect(script.state == "draining")
    }

    @Test("Exactly one drain under a time that moves")
    func movingTime() {
        var script = MachineScript(MachineScript.onAWS + MachineScript.serving)
        var reports: [ReportKind] = []
        var terminations = 0
        for second in 0..<90 {
            let actions =
                second == 1
                ? script.on(.counted(2, drains: .seconds(116))) : script.notice(in: 120, mark: "\(second)")
            reports += actions.reports
            terminations += actions.count { $0 == .terminateEngine }
        }
        #expect(reports == [.preemption])
        #expect(terminations == 1)
    }

    @Test("A nearer end moves the cut")
    func sooner() {
        var script = MachineScript(MachineScript.onAWS + MachineScript.serving)
        script.notice(in: 120)
        script.on(.counted(2, drains: .seconds(116)))
        let actions = script.notice(in: 22, .shutdown, from: "logind")
        #expect(actions.arms(.kill) == .seconds(19))
        #expect(actions.reports == [.preemption])
    }

    @Test("Taken back before its time: the model goes on as if nothing had been")
    func withdrawnEarly() {
        var script = MachineScript(MachineScript.onAWS + MachineScript.serving)
        script.notice(in: 3600)
        script.on(.nothing)
        #expect(script.on(.nothing).reports == [.preemptionWithdrawn])
        #expect(script.state == "serving")
        #expect(script.machine.preemption == nil)
    }

    @Test("Taken back after the drain: the model is started again")
    func withdrawnLate() {
        var script = MachineScript(MachineScript.onAWS + MachineScript.serving)
        script.notice(in: 120)
        script.on(.counted(0, drains: nil))
        script.on(.engineExited(.exited(code: 0)))
        script.on(.engineGone)
        script.on(.nothing)
        let actions = script.on(.nothing)
        #expect(actions.contains(.prepare(.sample())))
        #expect(actions.contains(.preempt(.forget)))
        #expect(script.state == "preparing")
    }

    @Test("A machine that outlives its notice starts the model again")
    func lapsed() {
        var script = MachineScript(MachineScript.onAWS + MachineScript.preparing)
        script.notice(in: 5)
        for _ in 0..<130 { script.on(.controlPlaneFound) }
        let actions = script.on(.timerFired(.preemption(.lapse)))
        #expect(actions.preemption(.preemptionWithdrawn)?.status == .lapsed)
        #expect(script.state == "preparing")
    }

    @Test("Advice is told and changes nothing")
    func advice() {
        var script = MachineScript(MachineScript.onAWS + MachineScript.serving)
        let actions = script.notice(in: 600, .rebalance)
        #expect(actions.reports == [.preemptionAdvice])
        #expect(script.machine.showsServing)
    }

    @Test("A pause is approved at once and drains nothing")
    func freeze() {
        var script = MachineScript(MachineScript.onAWS + MachineScript.serving)
        let actions = script.notice(in: 600, .freeze)
        #expect(actions.contains { if case .preempt(.approve) = $0 { true } else { false } })
        #expect(script.machine.showsServing)
    }

    @Test("A restarted agent goes on with the same notice and the time that is left")
    func resumed() throws {
        var script = MachineScript(MachineScript.onAWS + MachineScript.booted)
        let notice = Notice(
            id: "aws/end/m", kind: .terminate, source: "aws", firstSeenAt: BootInstant(nanoseconds: 0),
            deadline: BootInstant(nanoseconds: 90_000_000_000), word: "")
        let actions = script.on(.preemption(.resumed(notice, isOver: false)))
        let said = try #require(actions.preemption(.preemption))
        #expect(said.notice.id == notice.id)
        #expect(said.isResumed)
        #expect(actions.contains(.preempt(.removeLeftovers)))
        script.on(.assignmentReceived(.sample()))
        #expect(script.state == "stopped")
    }

    @Test("A restarted agent that had drained says nothing twice and starts nothing")
    func resumedAfterDrain() {
        var script = MachineScript(MachineScript.onAWS + MachineScript.booted)
        let notice = Notice(
            id: "aws/end/m", kind: .terminate, source: "aws", firstSeenAt: BootInstant(nanoseconds: 0),
            deadline: BootInstant(nanoseconds: 90_000_000_000), word: "")
        #expect(script.on(.preemption(.resumed(notice, isOver: true))).reports.isEmpty)
        #expect(!script.on(.assignmentReceived(.sample())).contains(.prepare(.sample())))
        #expect(script.notice(in: 50).reports.isEmpty)
    }

    @Test("SIGTERM during the drain lets it come to its end, and the last word is still said")
    func stopDuringDrain() {
        var script = MachineScript(MachineScript.onAWS + MachineScript.serving)
        script.notice(in: 120)
        script.on(.counted(2, drains: .seconds(116)))
        #expect(!script.on(.stopRequested).contains(.killEngine))
        script.on(.engineExited(.exited(code: 0)))
        #expect(script.on(.engineGone).reports == [.preempted, .stopped])
    }

    @Test("A stop while the requests are counted does not get more time than the notice leaves")
    func stopWhileCounting() {
        var script = MachineScript(MachineScript.onAWS + MachineScript.serving)
        script.notice(in: 20)
        script.on(.stopRequested)
        #expect(script.on(.counted(2, drains: nil)).arms(.kill) == .seconds(15))
    }

    @Test("Why the node stops is said: SIGTERM without a notice before it is a shutdown")
    func reasons() {
        func reason(_ actions: [NodeAction]) -> String? {
            for case .report(let report) in actions where report.reason != nil { return report.reason }
            return nil
        }
        var script = MachineScript(MachineScript.serving)
        #expect(reason(script.on(.stopRequested)) == "shutdown")
        script = MachineScript(MachineScript.serving)
        #expect(reason(script.on(.assignmentRevoked)) == "revoked")
        script = MachineScript(MachineScript.serving + [.assignmentReceived(.sample(generation: 2))])
        #expect(reason(script.on(.proved(generation: 2))) == "assignment_changed")
        script = MachineScript(MachineScript.preparing)
        script.notice(in: 20, .stop)
        #expect(reason(script.on(.stopRequested)) == "stop")
    }

    @Test("An engine that dies during the drain is not started again")
    func diesDuringDrain() {
        var script = MachineScript(MachineScript.onAWS + MachineScript.serving)
        script.notice(in: 120)
        script.on(.counted(2, drains: nil))
        script.on(.engineExited(.exited(code: 1)))
        script.on(.failureExplained(FailureReport(.engineDied, message: "died")))
        #expect(script.on(.engineGone).reports == [.preempted])
        script.on(.timerFired(.backoff))
        #expect(script.state == "stopped")
    }

    @Test("A source that turns blind is told, and so is that it sees again")
    func blind() {
        var script = MachineScript(MachineScript.onAWS + MachineScript.serving)
        let failed = NodeEvent.preemption(.found(.failed(reason: "503"), source: "aws"))
        var reports: [ReportKind] = []
        for _ in 0..<10 { reports += script.on(failed).reports }
        reports += script.on(.nothing).reports
        #expect(reports == [.noticeSource, .noticeSource])
    }
}
