// The engine while it runs: executed, loading, verified, serving.

extension NodeMachine {
    mutating func engineStarted(_ pid: Int32, at now: BootInstant) -> [NodeAction] {
        switch state {
        case .running(var run):
            guard run.pid == nil else { return unexpected("engineStarted") }
            run.pid = pid
            run.movement = MovementWatch(since: now)
            state = .running(run)
            timeline.record(.engineExec, at: now, source: .process)
            timeline.record(.engineImport, at: now, source: .process)
            return [
                .tell(.engineStarted(pid: pid)), .report(.begun(.engineExec)),
                .arm(.probe, after: settings.probeWhileLoading),
            ]
        case .stopping:
            // Asked to stop between the decision and the exec; the ladder is already armed.
            return [.terminateEngine]
        case .waiting, .preparing, .backoff, .failed, .leaving, .finished:
            return unexpected("engineStarted") + [.killEngine]
        }
    }

    mutating func engineStartFailed(_ start: EngineStartFailure, at now: BootInstant) -> [NodeAction] {
        let report = FailureReport(start.failure, message: start.message, process: "agent")
        switch state {
        case .running(let run):
            let said = sayFailed(report, exit: nil)
            guard successor?.isWanted != true else { return said + acceptSuccessor() }
            return said + retry(run.assignment, report, served: nil)
        case .stopping(let stop):
            return quietLadder() + afterEngine(stop, at: now)
        case .waiting, .preparing, .backoff, .failed, .leaving, .finished:
            return unexpected("engineStartFailed")
        }
    }

    mutating func engineProcessesSeen(_ processes: [EngineProcess], at now: BootInstant) -> [NodeAction] {
        guard case .running(let run) = state, run.stage != .serving else { return [] }
        let spawned = processes.filter { $0.pid != run.pid && $0.isSpawned }
        var actions: [NodeAction] = []
        if !spawned.isEmpty { actions += mark(.engineCoreSpawn, at: now, source: .process) }
        if spawned.count > 1 { actions += mark(.workerSpawn, at: now, source: .process) }
        return actions
    }

    mutating func logFact(_ fact: LogFact, at now: BootInstant) -> [NodeAction] {
        guard case .running(var run) = state else { return [] }
        if run.stage == .starting { run.stage = .loading }
        follow(fact, of: &run, at: now)
        state = .running(run)
        var actions: [NodeAction] = []
        if let phase = fact.phase, run.stage != .serving { actions += mark(phase, at: now, source: .log) }
        if fact.announcesListening, run.quickProbes == 0, run.stage == .loading {
            run.quickProbes = settings.quickProbes
            state = .running(run)
            actions += [.cancel(.probe), .probeHealth]
        }
        return actions
    }

    /// Every phase is told to operators and control plane as it begins.
    private mutating func mark(_ phase: Phase, at now: BootInstant, source: Timeline.Source) -> [NodeAction] {
        guard timeline.record(phase, at: now, source: source) else { return [] }
        let sinceExec = timeline.seconds(from: .engineExec, to: phase)
        return [.tell(.phase(phase, afterExec: sinceExec)), .report(.begun(phase))]
    }
}

// MARK: Readiness

extension NodeMachine {
    mutating func probeFired() -> [NodeAction] {
        switch state {
        case .running: [.probeHealth]
        case .waiting, .preparing, .stopping, .backoff, .failed, .leaving, .finished: []
        }
    }

    mutating func healthAnswered(_ answer: HealthAnswer, at now: BootInstant) -> [NodeAction] {
        guard case .running(let run) = state else { return [] }
        switch (run.stage, answer) {
        case (.starting, .healthy), (.loading, .healthy):
            return healthTurned200(run, at: now)
        case (_, .stranger(let listener)):
            return engineFailed(run, .portInUse(listener))
        case (.verifying, _):
            return []
        case (.serving, .healthy):
            return served(run, missed: 0)
        case (.serving, .unhealthy(let status)):
            return engineFailed(run, seen: "/health of the serving engine answered \(status)")
        case (.serving, .silent), (.serving, .refused):
            return served(run, missed: run.missedProbes + 1)
        case (.starting, .refused), (.starting, .silent), (.starting, .unhealthy),
            (.loading, .refused), (.loading, .silent), (.loading, .unhealthy):
            return probeAgain(run)
        }
    }

    private mutating func probeAgain(_ run: EngineRun) -> [NodeAction] {
        guard run.quickProbes > 1 else { return [.arm(.probe, after: settings.probeWhileLoading)] }
        var run = run
        run.quickProbes -= 1
        state = .running(run)
        return [.arm(.probe, after: settings.probeWhileListening)]
    }

    /// A busy server may miss a probe; one that misses many is not ready, and one that misses all is dead.
    private mutating func served(_ run: EngineRun, missed: Int) -> [NodeAction] {
        var run = run
        run.missedProbes = missed
        state = .running(run)
        if missed >= settings.missesUntilFailed {
            return engineFailed(run, seen: "the serving engine left \(missed) probes of /health without an answer")
        }
        let said: [NodeAction] = missed == settings.missesUntilNotReady ? [.tell(.engineSilent)] : []
        return said + [.arm(.probe, after: settings.probeWhileServing)]
    }

    private mutating func healthTurned200(_ run: EngineRun, at now: BootInstant) -> [NodeAction] {
        var run = run
        run.stage = .verifying(attempt: 1)
        state = .running(run)
        let actions = mark(.serverListening, at: now, source: .probe) + mark(.healthOK, at: now, source: .probe)
        return [.sendCanary(model: run.assignment.model)] + actions
    }

    mutating func canaryAnswered(_ took: Duration, at now: BootInstant) -> [NodeAction] {
        guard case .running(var run) = state, case .verifying = run.stage else { return [] }
        run.stage = .serving
        state = .running(run)
        failure = nil
        failureExit = nil
        progress = nil
        canaryTook = took
        readyAt = now
        timeline.record(.firstToken, at: now, source: .probe)
        return lesson(ofLoadOf: run.assignment) + [
            .notifyReady, .report(Report(.ready)), .remember(startRecord(readyAt: now)),
            .tell(.ready(seconds: timeline.seconds(from: .engineExec, to: .firstToken))),
            .arm(.probe, after: settings.probeWhileServing),
        ]
    }

    mutating func canaryFailed(_ reason: String) -> [NodeAction] {
        guard case .running(var run) = state, case .verifying(let attempt) = run.stage else { return [] }
        let said = NodeAction.tell(.canaryFailed(reason: reason, attempt: attempt))
        guard attempt < settings.canaryAttempts else {
            let report = FailureReport(
                .canaryFailed, message: "the model did not answer \(attempt) one-token requests: \(reason)",
                process: "agent")
            return [said] + engineFailed(run, report)
        }
        run.stage = .verifying(attempt: attempt + 1)
        state = .running(run)
        return [said, .arm(.canary, after: settings.canaryRetry)]
    }

    mutating func canaryFired() -> [NodeAction] {
        guard case .running(let run) = state, case .verifying = run.stage else { return [] }
        return [.sendCanary(model: run.assignment.model)]
    }
}

extension EngineProcess {
    /// A process the engine made of itself: by its title, or by what Python's multiprocessing runs before there is one.
    package var isSpawned: Bool {
        isVital || title.contains("multiprocessing.spawn") || title.contains("multiprocessing.forkserver")
    }

    /// The processes without which the engine cannot answer.
    package var isVital: Bool { title.hasPrefix("VLLM::") }
}
