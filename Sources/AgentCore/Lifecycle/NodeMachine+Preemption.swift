// The end that comes from outside: told at once, drained to the last useful moment.
//
// A notice is not a state of its own: it may come in any of them, and may be taken back. While it holds, nothing is
// started; what runs is drained by the ladder that every stop uses.

extension NodeMachine {
    mutating func preempt(_ event: PreemptionEvent, at now: BootInstant) -> [NodeAction] {
        switch event {
        case .settled(let place):
            notices.settle(place)
            return []
        case .found(let finding, let source):
            return notices.take(finding, from: source, at: now).flatMap { changed($0, at: now) }
        case .resumed(let notice, let isOver): return resumed(notice, isOver: isOver, at: now)
        case .counted(let count, let engineDrains): return counted(count, engineDrains: engineDrains, at: now)
        }
    }

    private mutating func changed(_ change: NoticeBoard.Change, at now: BootInstant) -> [NodeAction] {
        switch change {
        case .began(let notice): return begin(notice, at: now)
        case .sooner(let notice): return hasten(notice, at: now)
        case .withdrawn(let notice): return spared(notice, .withdrawn, at: now)
        case .lapsed(let notice): return spared(notice, .lapsed, at: now)
        case .advised(let notice):
            let isPause = notice.kind == .freeze
            let report = PreemptionReport(.advice, notice, place: place)
            return [.tell(.advice(notice)), .report(.preemption(.preemptionAdvice, report))]
                + (isPause ? [.preempt(.approve(noticeID: notice.id))] : [])
        case .blind(let source): return [.tell(.noticeSource(source)), .report(.noticeSource(source))]
        case .sighted(let source): return [.tell(.noticeSource(source)), .report(.noticeSource(source))]
        }
    }

    private var place: CloudPlace { notices.place }

    /// Nothing is started while this is true.
    var isHeld: Bool { preemption?.holds ?? false || partition != nil }

    // MARK: It begins

    private mutating func begin(_ notice: Notice, at now: BootInstant) -> [NodeAction] {
        preemption = Preemption(notice, plan: DrainPlan(for: notice, on: place.cloud))
        let known: [NodeAction] = [
            .preempt(.persist(notice, isOver: false)), .tell(.notice(notice, secondsLeft: notice.left(at: now))),
        ]
        return known + beginWhenDue(at: now)
    }

    /// Reported at once, whatever comes later.
    private mutating func beginWhenDue(at now: BootInstant) -> [NodeAction] {
        guard let plan = preemption?.plan else { return [] }
        let lapse = armLapse(at: now)
        guard plan.begins <= now else {
            return [sayPending(at: now), .arm(.preemption(.begin), after: plan.begins - now)] + lapse
        }
        return drain(at: now) + lapse
    }

    mutating func beginFired(at now: BootInstant) -> [NodeAction] {
        guard preemption?.stage == .announced else { return [] }
        return drain(at: now)
    }

    private mutating func drain(at now: BootInstant) -> [NodeAction] {
        preemption?.beganAt = now
        switch state {
        case .running(let run) where run.stage == .serving:
            preemption?.stage = .counting
            return [.preempt(.countRequests)]
        case .running(let run):
            preemption?.stage = .draining
            preemption?.inFlight = 0
            let said = sayPending(at: now)
            state = .stopping(EngineStop(run.assignment, verdict: .none, next: afterwards(.hold)))
            return quietProbes() + [said, .terminateEngine] + briskLadder(at: now)
        case .stopping:
            // What was to follow still may, once the notice is taken back.
            preemption?.stage = .draining
            let said = sayPending(at: now)
            let cut = killAtCut(at: now)
            return [said, .cancel(.ask)] + (cut.isEmpty ? [] : [.cancel(.drained)]) + askFired() + cut
                + [.preempt(.countRequests)]
        case .backoff(let assignment, _):
            state = .preparing(assignment)
            return [.cancel(.backoff)] + overWithoutEngine(at: now)
        case .waiting, .preparing, .failed, .leaving, .finished:
            return overWithoutEngine(at: now)
        }
    }

    /// As every start is ended, and no later than the cut.
    private func briskLadder(at now: BootInstant) -> [NodeAction] {
        let cut = timeToCut(at: now)
        guard cut < settings.secondTerminate + settings.killAfterSecond else {
            return [.arm(.secondTerminate, after: settings.secondTerminate)]
        }
        return [.arm(.kill, after: cut)]
    }

    private mutating func overWithoutEngine(at now: BootInstant) -> [NodeAction] {
        preemption?.stage = .draining
        preemption?.inFlight = 0
        return [sayPending(at: now)] + sayOver(exit: nil, at: now)
    }

    // MARK: It goes on

    private mutating func counted(
        _ count: Int?, engineDrains: Duration?, at now: BootInstant
    ) -> [NodeAction] {
        guard var current = preemption, current.holds else { return countedWhileStopping(count) }
        // Once its own time is over an engine has dropped what it had; the count before that says how much.
        if !current.isEngineTimeOver(at: now) { current.stillInFlight = count ?? current.stillInFlight }
        switch current.stage {
        case .announced, .over:
            return countedWhileStopping(count)
        case .counting:
            current.stage = .draining
            current.inFlight = count
            current.engineDrains = engineDrains
            preemption = current
            return [sayPending(at: now), .arm(.preemption(.count), after: Self.countEvery)] + askEngine(at: now)
        case .draining:
            current.inFlight = current.inFlight ?? count
            preemption = current
            let again = NodeAction.arm(.preemption(.count), after: Self.countEvery)
            if case .running = state { return [again] + askEngine(at: now) }
            return [again]
        }
    }

    static let countEvery = Duration.milliseconds(500)

    /// An engine that finishes what it does gets SIGTERM now; one that would drop it gets it when there is nothing left
    /// to drop.
    private mutating func askEngine(at now: BootInstant) -> [NodeAction] {
        guard case .running(let run) = state, let preemption else {
            // Somebody else has asked it to end meanwhile.
            return killAtCut(at: now)
        }
        let isIdle = preemption.stillInFlight == 0
        guard isIdle || preemption.engineDrains != nil else {
            return [.arm(.preemption(.cut), after: timeToCut(at: now))]
        }
        state = .stopping(EngineStop(run.assignment, verdict: .none, next: afterwards(.hold)))
        let patience = isIdle ? min(timeToCut(at: now), settings.teardown) : timeToCut(at: now)
        return quietProbes() + [
            .cancel(.preemption(.cut)), .terminateEngine, .arm(.kill, after: patience),
            .tell(.stopping(drainFor: timeToCut(at: now))),
        ]
    }

    /// Of an engine that somebody else has asked to end: nothing where the notice leaves more time than whoever stops
    /// the agent grants, since the service manager waits no longer than that.
    private func killAtCut(at now: BootInstant) -> [NodeAction] {
        let cut = timeToCut(at: now)
        if case .stopping(let stop) = state, case .leave = stop.next, cut > settings.drain + settings.teardown {
            return []
        }
        return [.arm(.kill, after: cut)]
    }

    func countFired() -> [NodeAction] {
        if case .stopping(let stop) = state, !stop.isAsked { return [.preempt(.countRequests)] }
        return preemption?.stage == .draining ? [.preempt(.countRequests)] : []
    }

    mutating func cutFired() -> [NodeAction] {
        guard case .running(let run) = state, isHeld else { return [] }
        state = .stopping(EngineStop(run.assignment, verdict: .none, next: afterwards(.hold)))
        return quietProbes() + [.tell(.engineKilled)] + kill()
    }

    private func timeToCut(at now: BootInstant) -> Duration {
        guard let preemption else { return .zero }
        return max(preemption.plan.cut - now, .zero)
    }

    /// The end is nearer than it was said to be.
    private mutating func hasten(_ notice: Notice, at now: BootInstant) -> [NodeAction] {
        guard var current = preemption else { return begin(notice, at: now) }
        current.notice = notice
        current.plan = DrainPlan(for: notice, on: place.cloud)
        preemption = current
        let known: [NodeAction] = [.preempt(.persist(notice, isOver: current.stage == .over))]
        switch (current.stage, state) {
        case (.announced, _): return known + beginWhenDue(at: now)
        case (.draining, .running):
            return known + [sayPending(at: now), .arm(.preemption(.cut), after: timeToCut(at: now))]
        case (.draining, .stopping):
            return known + [sayPending(at: now), .arm(.kill, after: timeToCut(at: now))]
        case (.counting, _), (.draining, _), (.over, _): return known
        }
    }

    // MARK: It is over

    /// The last word, whichever way the engine went and whatever comes after it.
    mutating func sayOver(exit: EngineExit?, at now: BootInstant) -> [NodeAction] {
        guard var current = preemption, current.stage != .over, current.holds else { return [] }
        let used = now - (current.beganAt ?? now)
        let cut = current.requestsCut(by: exit, after: used)
        var report = PreemptionReport(.over, current.notice, place: place)
        report.inFlight = current.inFlight
        report.isResumed = current.isResumed
        report.outcome = PreemptionReport.Outcome(
            finished: current.inFlight.flatMap { total in cut.map { max(0, total - $0) } }, cut: cut, used: used,
            left: current.notice.deadline - now)
        current.stage = .over
        preemption = current
        let notice = current.notice
        let others = notices.ids(at: now).filter { $0 != notice.id }
        return [
            .cancel(.preemption(.count)), .cancel(.preemption(.cut)),
            .report(.preemption(.preempted, report)), .tell(.preempted(report)),
            .preempt(.persist(notice, isOver: true)),
        ] + ([notice.id] + others).map { .preempt(.approve(noticeID: $0)) } + [.preempt(.release)]
    }

    private mutating func spared(
        _ notice: Notice, _ status: PreemptionReport.Status, at now: BootInstant
    ) -> [NodeAction] {
        let said: [NodeAction] = [
            .tell(.spared(notice, status)),
            .report(.preemption(.preemptionWithdrawn, PreemptionReport(status, notice, place: place))),
        ]
        guard preemption?.notice.id == notice.id else { return said }
        let wasHeld = isHeld
        preemption = nil
        let quiet = [PreemptionTimer.begin, .cut, .count, .lapse].map { NodeAction.cancel(.preemption($0)) }
        let after = said + quiet + [.preempt(.forget), .preempt(.hold)]
        guard wasHeld, case .preparing(let assignment) = state else { return after + proveSuccessor() }
        return after + prepare(assignment)
    }

    mutating func lapseFired(at now: BootInstant) -> [NodeAction] {
        let changes = notices.lapse(at: now)
        return changes.isEmpty ? armLapse(at: now) : changes.flatMap { changed($0, at: now) }
    }

    private func armLapse(at now: BootInstant) -> [NodeAction] {
        guard let notice = notices.notice else { return [] }
        let wait = notice.deadline + NoticeBoard.lapsesAfter - now
        return [.arm(.preemption(.lapse), after: max(wait, .seconds(1)))]
    }

    // MARK: An agent before this one knew

    private mutating func resumed(_ notice: Notice, isOver: Bool, at now: BootInstant) -> [NodeAction] {
        guard preemption == nil else { return [] }
        notices.resume(notice)
        var current = Preemption(notice, plan: DrainPlan(for: notice, on: place.cloud))
        current.isResumed = true
        current.stage = isOver ? .over : .announced
        preemption = current
        let said: [NodeAction] = [
            .tell(.notice(notice, secondsLeft: notice.left(at: now))), .preempt(.removeLeftovers),
        ]
        return said + (isOver ? armLapse(at: now) : beginWhenDue(at: now))
    }

    private func sayPending(at now: BootInstant) -> NodeAction {
        guard let preemption else { preconditionFailure("there is no notice to report") }
        var report = PreemptionReport(.pending, preemption.notice, place: place)
        report.cut = preemption.plan.cut
        report.inFlight = preemption.inFlight
        report.isResumed = preemption.isResumed
        return .report(.preemption(.preemption, report))
    }
}

extension Notice {
    /// Seconds until the deadline; negative after it.
    package func left(at now: BootInstant) -> Double { (deadline - now).inSeconds }
}

extension Preemption {
    /// How many of the requests in flight did not get to their end: none where the engine left by itself in time.
    func requestsCut(by exit: EngineExit?, after used: Duration) -> Int? {
        guard let inFlight else { return nil }
        guard exit == .exited(code: 0) else { return stillInFlight ?? inFlight }
        if let engineDrains, used >= engineDrains { return stillInFlight ?? inFlight }
        return 0
    }

    func isEngineTimeOver(at now: BootInstant) -> Bool {
        guard let engineDrains, let beganAt else { return false }
        return now - beganAt >= engineDrains
    }
}
