// How an engine ends: asked for, replaced, or by itself.

extension NodeMachine {
    /// SIGTERM to the agent, or the node was revoked.
    mutating func stop(isRevoked: Bool, at now: BootInstant) -> [NodeAction] {
        let leave = EngineStop.Next.leave(isRevoked: isRevoked, isAsked: !isRevoked)
        switch state {
        case .waiting, .preparing, .failed:
            return [.notifyStopping] + leaveNow(isRevoked: isRevoked)
        case .backoff:
            return [.notifyStopping, .cancel(.backoff)] + leaveNow(isRevoked: isRevoked)
        case .running(let run):
            return [.notifyStopping] + endEngine(run, next: leave)
        case .stopping(let stop):
            return stopHarder(stop, isRevoked: isRevoked)
        case .leaving, .finished:
            return []
        }
    }

    /// A failure that is being explained is still reported; only what follows it changes.
    private mutating func stopHarder(_ stop: EngineStop, isRevoked: Bool) -> [NodeAction] {
        var stop = stop
        guard case .leave(let wasRevoked, let wasAsked) = stop.next else {
            stop.next = .leave(isRevoked: isRevoked, isAsked: !isRevoked)
            state = .stopping(stop)
            return [.notifyStopping]
        }
        stop.next = .leave(isRevoked: wasRevoked || isRevoked, isAsked: wasAsked || !isRevoked)
        state = .stopping(stop)
        // The operator insists.
        return wasAsked && !isRevoked ? [.tell(.engineKilled)] + kill() : []
    }

    /// Ends a running engine in order: gently where it serves, briskly where there is nothing to lose.
    mutating func endEngine(_ run: EngineRun, next: EngineStop.Next) -> [NodeAction] {
        var stop = EngineStop(run.assignment, verdict: .none, next: next)
        let drain = run.stage == .serving ? settings.drain : nil
        stop.isAsked = !endsTooEarly(run, drain)
        state = .stopping(stop)
        let said: [NodeAction] = [
            .tell(.stopping(drainFor: drain)), .report(.ending(.draining, because: reason(for: next))),
        ]
        let asked: [NodeAction] = stop.isAsked ? [.terminateEngine] : [.preempt(.countRequests)]
        return quietProbes() + said + asked + ladder(run, drain)
    }

    private func ladder(_ run: EngineRun, _ drain: Duration?) -> [NodeAction] {
        guard let drain else { return [.arm(.secondTerminate, after: settings.secondTerminate)] }
        let ask: [NodeAction] = run.drains.map { [.arm(.ask, after: drain - $0)] } ?? []
        return (endsTooEarly(run, drain) ? ask : [])
            + [.arm(.drained, after: drain), .arm(.kill, after: drain + settings.teardown)]
    }

    /// An engine is started with the time that its cloud's notice leaves, which may be less than an operator grants.
    private func endsTooEarly(_ run: EngineRun, _ drain: Duration?) -> Bool {
        guard let drain, let own = run.drains else { return false }
        return own < drain
    }

    mutating func askFired() -> [NodeAction] {
        guard case .stopping(var stop) = state, !stop.isAsked, stop.exit == nil else { return [] }
        stop.isAsked = true
        state = .stopping(stop)
        return [.terminateEngine]
    }

    /// An engine may go on for longer than an operator grants. One that has nothing left to do takes itself down.
    mutating func drainedFired() -> [NodeAction] {
        guard case .stopping(var stop) = state, stop.exit == nil else { return [] }
        stop.isDrainOver = true
        state = .stopping(stop)
        return [.preempt(.countRequests)]
    }

    /// Nobody ends the machine; somebody ends the engine.
    mutating func countedWhileStopping(_ count: Int?) -> [NodeAction] {
        guard case .stopping(let stop) = state, stop.exit == nil else { return [] }
        if stop.isDrainOver { return (count ?? 0) > 0 ? [.tell(.engineKilled)] + kill() : [] }
        guard !stop.isAsked else { return [] }
        return (count ?? 0) > 0 ? [.arm(.preemption(.count), after: Self.countEvery)] : [.cancel(.ask)] + askFired()
    }

    /// Whoever stops the agent without a notice before it shuts the node down.
    private func reason(for next: EngineStop.Next) -> String {
        if let preemption, preemption.holds { return preemption.notice.kind.rawValue }
        return switch next {
        case .leave(isRevoked: true, _): "revoked"
        case .leave(isRevoked: false, _): NoticeKind.shutdown.rawValue
        case .change: partition == nil ? "assignment_changed" : Self.partitionReason
        case .recover, .hold: partition == nil ? "failed" : Self.partitionReason
        }
    }

    mutating func secondTerminateFired() -> [NodeAction] {
        guard case .stopping(let stop) = state, stop.exit == nil else { return [] }
        return [.terminateEngine, .arm(.kill, after: settings.killAfterSecond)]
    }

    mutating func killFired() -> [NodeAction] {
        guard case .stopping = state else { return [] }
        return [.tell(.engineKilled)] + kill()
    }

    func kill() -> [NodeAction] { [.killEngine, .arm(.stuck, after: settings.stuck)] }

    func quietProbes() -> [NodeAction] { [.cancel(.probe), .cancel(.canary), .cancel(.settle)] }

    func quietLadder() -> [NodeAction] {
        [.cancel(.ask), .cancel(.drained), .cancel(.secondTerminate), .cancel(.kill), .cancel(.leftovers)]
    }
}

// MARK: The engine failed

extension NodeMachine {
    /// The agent knows the reason itself.
    mutating func engineFailed(_ run: EngineRun, _ report: FailureReport) -> [NodeAction] {
        state = .stopping(EngineStop(run.assignment, verdict: .given(report), next: afterwards(.recover)))
        return quietProbes() + sayFailed(report, exit: nil) + kill()
    }

    /// The log may know better than what was `seen`. The main process may still run, but its engine is lost.
    mutating func engineFailed(_ run: EngineRun, seen: String) -> [NodeAction] {
        state = .stopping(EngineStop(run.assignment, verdict: .owed(seen: seen), next: afterwards(.recover)))
        return quietProbes() + [.explainFailure] + kill()
    }

    mutating func engineProcessEnded(_ process: EngineProcess) -> [NodeAction] {
        guard case .running(var run) = state, process.isVital, run.lostProcess == nil else { return [] }
        run.lostProcess = process
        state = .running(run)
        return [.arm(.settle, after: run.stage == .serving ? settings.settleServing : settings.settleLoading)]
    }

    mutating func settleFired() -> [NodeAction] {
        guard case .running(let run) = state, let lost = run.lostProcess else { return [] }
        return engineFailed(run, seen: lost.lossInWords)
    }

    mutating func engineExited(_ exit: EngineExit) -> [NodeAction] {
        switch state {
        case .running(let run):
            let seen = run.lostProcess?.lossInWords
            var stop = EngineStop(run.assignment, verdict: .owed(seen: seen), next: afterwards(.recover))
            stop.exit = exit
            state = .stopping(stop)
            // Workers outlive their parent for ever, with all the memory.
            return quietProbes() + kill()
        case .stopping(var stop):
            stop.exit = exit
            state = .stopping(stop)
            return quietLadder() + (stop.isOrderly ? [.arm(.leftovers, after: settings.leftovers)] : kill())
        case .waiting, .preparing, .backoff, .failed, .leaving, .finished:
            return unexpected("engineExited")
        }
    }

    /// A verdict comes with every end of an engine; it is wanted only for those nobody asked for.
    mutating func failureExplained(_ report: FailureReport, at now: BootInstant) -> [NodeAction] {
        guard case .stopping(var stop) = state, case .owed(let seen) = stop.verdict else { return [] }
        let verdict = report.completed(by: seen)
        stop.verdict = .given(verdict)
        state = .stopping(stop)
        let said = sayFailed(verdict, exit: stop.exit)
        return stop.isGone ? said + afterEngine(stop, at: now) : said
    }
}

// MARK: The engine is gone

extension NodeMachine {
    mutating func engineGone(at now: BootInstant) -> [NodeAction] {
        switch state {
        case .stopping(var stop):
            let quiet = quietLadder() + [.cancel(.stuck), .tell(.engineGone)]
            guard case .owed = stop.verdict else { return quiet + afterEngine(stop, at: now) }
            stop.isGone = true
            state = .stopping(stop)
            return quiet
        case .waiting, .preparing, .running, .backoff, .failed, .leaving, .finished:
            return unexpected("engineGone")
        }
    }

    /// SIGKILL was not enough: a process hangs in the kernel, most likely in a driver, and holds what it holds.
    mutating func stuckFired(at now: BootInstant) -> [NodeAction] {
        guard case .stopping(let stop) = state else { return [] }
        let report = FailureReport(
            .engineUnkillable, message: "processes of the engine are still there \(settings.stuck) after SIGKILL",
            process: "agent")
        let said = sayFailed(report, exit: stop.exit) + sayOver(exit: stop.exit, at: now)
        if case .leave(let isRevoked, _) = stop.next { return said + leaveNow(isRevoked: isRevoked) }
        state = .failed(stop.assignment, report)
        return said
    }

    mutating func afterEngine(_ stop: EngineStop, at now: BootInstant) -> [NodeAction] {
        let served = readyAt.map { now - $0 }
        readyAt = nil
        canaryTook = nil
        progress = nil
        let lastWord = sayOver(exit: stop.exit, at: now)
        switch stop.next {
        case .leave(let isRevoked, _): return lastWord + leaveNow(isRevoked: isRevoked)
        case .change: return lastWord + acceptSuccessor()
        case .hold: return lastWord + prepare(stop.assignment)
        case .recover:
            guard case .given(let report) = stop.verdict else {
                preconditionFailure("an engine that failed is left behind only with a verdict")
            }
            return lastWord + retry(stop.assignment, report, served: served)
        }
    }
}

// MARK: Leaving

extension NodeMachine {
    mutating func leaveNow(isRevoked: Bool) -> [NodeAction] {
        state = .leaving
        successor = nil
        let revoked: [NodeAction] = isRevoked ? [.tell(.revoked), .report(Report(.revoked))] : []
        let reason = reason(for: .leave(isRevoked: isRevoked, isAsked: !isRevoked))
        return revoked + [.report(.ending(.stopped, because: reason)), .arm(.delivery, after: settings.delivery)]
    }

    mutating func eventsDelivered() -> [NodeAction] {
        guard case .leaving = state else { return [] }
        state = .finished
        return [.cancel(.delivery), .finish]
    }

    mutating func deliveryFired() -> [NodeAction] {
        guard case .leaving = state else { return [] }
        state = .finished
        return [.tell(.undelivered), .finish]
    }
}
