internal import AgentCore
internal import AgentTestKit
internal import Testing

@Suite struct NodeMachinePreemptionTests {
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
        script.on(.counted(3, drains: .seconds(2)))
        script.on(.counted(1, drains: .seconds(2)))
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
        #expect(actions.contains { if case .preempt(.release) = $0 { true } else { false } })
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

extension NodeEvent {
    fileprivate static func counted(_ count: Int?, drains: Duration?) -> NodeEvent {
        .preemption(.counted(count, engineDrains: drains))
    }

    fileprivate static let nothing = NodeEvent.preemption(.found(.listed(key: "end", []), source: "aws"))
}

extension MachineScript {
    fileprivate static let onAWS: [NodeEvent] = [.preemption(.settled(CloudPlace(.aws)))]

    /// So many seconds ahead of the moment in which it is told.
    @discardableResult
    fileprivate mutating func notice(
        in seconds: Int64, _ kind: NoticeKind = .terminate, mark: String = "m", from source: String = "aws"
    ) -> [NodeAction] {
        let deadline = next + .seconds(seconds)
        let finding = SourceFinding.listed(key: "end", [Sighting(kind, origin: "end", deadline: deadline, mark: mark)])
        return on(.preemption(.found(finding, source: source)))
    }
}

extension NodeMachine {
    fileprivate var shown: NodeSnapshot {
        snapshot(
            nodeID: "node", port: 8000, versions: NodeSnapshot.Versions(agent: "test"), at: BootInstant(nanoseconds: 0))
    }

    fileprivate var showsServing: Bool { shown.isServing }

    fileprivate var hasEngine: Bool {
        switch state {
        case .running, .stopping: true
        case .waiting, .preparing, .backoff, .failed, .leaving, .finished: false
        }
    }
}

extension [NodeAction] {
    fileprivate func preemption(_ kind: ReportKind) -> PreemptionReport? {
        for case .report(let report) in self where report.kind == kind { return report.preemption }
        return nil
    }
}
