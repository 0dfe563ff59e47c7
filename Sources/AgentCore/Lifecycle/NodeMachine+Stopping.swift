// How an engine ends: asked for, replaced, or by itself.

extension NodeMachine {
    /// SIGTERM to the agent, or the node was revoked.
    mutating func stop(_ cause: StopCause, at now: BootInstant) -> [NodeAction] {
        switch state {
        case .waiting, .preparing, .failed:
            return [.notifyStopping] + leave(cause)
        case .backoff:
            return [.notifyStopping, .cancel(.backoff)] + leave(cause)
        case .running(let run):
            return [.notifyStopping] + endEngine(run, cause: cause)
        case .stopping(var stop):
            let askedAgain = stop.cause == .agentStop && cause == .agentStop
            stop.cause = cause
            state = .stopping(stop)
            if stop.isGone { return [.notifyStopping] + afterEngine(stop, at: now) }
            // The operator insists.
            return askedAgain ? [.tell(.engineKilled), .killEngine] : [.notifyStopping]
        case .leaving, .finished:
            return []
        }
    }

    /// Begins to end a running engine: gently where it serves, briskly where there is nothing to lose.
    mutating func endEngine(_ run: EngineRun, cause: StopCause) -> [NodeAction] {
        state = .stopping(EngineStop(run.assignment, cause: cause, terminations: 1))
        let quiet: [NodeAction] = [.cancel(.probe), .cancel(.canary), .cancel(.settle)]
        var said: [NodeAction] = []
        if case .failed(let report) = cause { said = sayFailed(report, exit: nil) }
        if run.stage == .serving, cause.mayDrain {
            return quiet + [
                .tell(.stopping(drainFor: settings.drain)), .report(Report(.draining)), .terminateEngine,
                .arm(.kill, after: settings.drain + settings.teardown),
            ]
        }
        if cause.mayDrain { said = [.report(Report(.draining))] }
        return quiet + said + [
            .tell(.stopping(drainFor: nil)), .terminateEngine,
            .arm(.secondTerminate, after: settings.secondTerminate),
        ]
    }

    mutating func secondTerminateFired() -> [NodeAction] {
        guard case .stopping(var stop) = state, stop.exit == nil else { return [] }
        stop.terminations += 1
        state = .stopping(stop)
        return [.terminateEngine, .arm(.kill, after: settings.killAfterSecond)]
    }

    mutating func killFired() -> [NodeAction] {
        guard case .stopping = state else { return [] }
        return [.tell(.engineKilled), .killEngine]
    }

    func cancelLadder() -> [NodeAction] {
        [.cancel(.secondTerminate), .cancel(.kill), .cancel(.leftovers)]
    }
}

// MARK: The engine ended

extension NodeMachine {
    mutating func engineExited(_ exit: EngineExit) -> [NodeAction] {
        switch state {
        case .running(let run):
            var stop = EngineStop(run.assignment, cause: .unexplained(lost: run.lostProcess), terminations: 0)
            stop.exit = exit
            state = .stopping(stop)
            // Workers outlive their parent for ever, with all the memory.
            return [.cancel(.probe), .cancel(.canary), .cancel(.settle), .explainFailure(exit), .killEngine]
        case .stopping(var stop):
            stop.exit = exit
            state = .stopping(stop)
            guard stop.cause.mayDrain else { return cancelLadder() + [.killEngine] }
            return cancelLadder() + [.arm(.leftovers, after: settings.leftovers)]
        case .waiting, .preparing, .backoff, .failed, .leaving, .finished:
            return unexpected("engineExited")
        }
    }

    mutating func engineProcessEnded(_ process: EngineProcess) -> [NodeAction] {
        guard case .running(var run) = state, process.isVital, run.lostProcess == nil else { return [] }
        run.lostProcess = process
        state = .running(run)
        return [.arm(.settle, after: settings.settle)]
    }

    mutating func settleFired() -> [NodeAction] {
        guard case .running(let run) = state, let lost = run.lostProcess else { return [] }
        return engineFailed(run, lost: lost)
    }

    /// The main process still runs, but the engine is lost.
    private mutating func engineFailed(_ run: EngineRun, lost: EngineProcess) -> [NodeAction] {
        state = .stopping(EngineStop(run.assignment, cause: .unexplained(lost: lost), terminations: 0))
        return [.cancel(.probe), .cancel(.canary), .explainFailure(nil), .killEngine]
    }

    mutating func engineFailed(_ run: EngineRun, reading message: String) -> [NodeAction] {
        let report = FailureReport(.engineDied, message: message, process: "agent")
        return endEngine(run, cause: .failed(report))
    }

    mutating func failureExplained(_ report: FailureReport, at now: BootInstant) -> [NodeAction] {
        guard case .stopping(var stop) = state, case .unexplained(let lost) = stop.cause else { return [] }
        let verdict = report.completed(by: lost, exit: stop.exit)
        stop.cause = .failed(verdict)
        state = .stopping(stop)
        let said = sayFailed(verdict, exit: stop.exit)
        return stop.isGone ? said + afterEngine(stop, at: now) : said
    }

    private mutating func sayFailed(_ report: FailureReport, exit: EngineExit?) -> [NodeAction] {
        failure = report
        failureExit = exit
        return [.tell(.failed(report, exit)), .report(Report(.failed, failure: report, exit: exit))]
    }

    mutating func engineGone(at now: BootInstant) -> [NodeAction] {
        switch state {
        case .stopping(var stop):
            let quiet = cancelLadder() + [.tell(.engineGone)]
            guard case .unexplained = stop.cause else { return quiet + afterEngine(stop, at: now) }
            stop.isGone = true
            state = .stopping(stop)
            return quiet
        case .waiting, .preparing, .running, .backoff, .failed, .leaving, .finished:
            return unexpected("engineGone")
        }
    }

    mutating func afterEngine(_ stop: EngineStop, at now: BootInstant? = nil) -> [NodeAction] {
        let served = readyAt.flatMap { ready in now.map { $0 - ready } }
        readyAt = nil
        canaryTook = nil
        progress = nil
        switch stop.cause {
        case .agentStop, .revoked:
            return leave(stop.cause)
        case .superseded(let next):
            return now.map { accept(next, at: $0) } ?? prepare(next)
        case .failed(let report):
            return retry(stop.assignment, report, served: served)
        case .unexplained:
            preconditionFailure("an engine that is gone and not explained waits for its verdict first")
        }
    }
}

// MARK: Leaving

extension NodeMachine {
    mutating func leave(_ cause: StopCause) -> [NodeAction] {
        state = .leaving
        let revoked: [NodeAction] = cause == .revoked ? [.tell(.revoked), .report(Report(.revoked))] : []
        return revoked + [.report(Report(.stopped)), .arm(.delivery, after: settings.delivery)]
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

extension StopCause {
    /// A drain is for requests that can still be answered.
    var mayDrain: Bool {
        switch self {
        case .agentStop, .revoked, .superseded: true
        case .unexplained, .failed: false
        }
    }
}

extension FailureReport {
    package static func portInUse(_ listener: PortListener) -> FailureReport {
        let owner = listener.command.map { "\($0) (pid \(listener.pid.map(String.init) ?? "unknown"))" }
        return FailureReport(
            .portInUse, message: "the engine's port is taken by \(owner ?? "a process this user cannot see")",
            process: "agent")
    }

    /// Where the log names no cause, the lost process or the exit status is the cause.
    func completed(by lost: EngineProcess?, exit: EngineExit?) -> FailureReport {
        guard failure == .unknown || failure == .engineDied else { return self }
        var report = self
        if let lost {
            report.failure = .engineDied
            report.process = lost.title
            report.evidence = ([message] + evidence).filter { !$0.isEmpty }
            report.message = "\(lost.title) (pid \(lost.pid)) ended although nobody asked it to"
        } else if report.message.isEmpty {
            report.message = "the engine ended with \(exit?.words ?? "no exit status") and wrote no reason"
        }
        return report
    }
}

extension EngineExit {
    package var words: String {
        switch self {
        case .exited(let code): "exit code \(code)"
        case .signalled(let signal, let dumped): "signal \(signal)\(dumped ? " (core dumped)" : "")"
        }
    }
}
