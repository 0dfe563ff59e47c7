// The engine while it runs: executed, loading, verified, serving.

extension NodeMachine {
    mutating func engineStarted(_ pid: Int32, at now: BootInstant) -> [NodeAction] {
        switch state {
        case .running(var run):
            guard run.pid == nil else { return unexpected("engineStarted") }
            run.pid = pid
            state = .running(run)
            timeline.record(.engineExec, at: now, source: .process)
            timeline.record(.engineImport, at: now, source: .process)
            return [
                .tell(.engineStarted(pid: pid)), .report(Report(.phase)),
                .arm(.probe, after: settings.probeWhileLoading),
            ]
        case .stopping:
            // Asked to stop between the decision and the exec; the ladder is already armed.
            return [.terminateEngine]
        case .waiting, .preparing, .backoff, .failed, .leaving, .finished:
            return unexpected("engineStarted") + [.killEngine]
        }
    }

    mutating func engineStartFailed(_ start: EngineStartFailure) -> [NodeAction] {
        let report = FailureReport(start.failure, message: start.message, process: "agent")
        switch state {
        case .running(let run):
            return fail(run.assignment, report, exit: nil)
        case .stopping(let stop):
            return cancelLadder() + afterEngine(stop)
        case .waiting, .preparing, .backoff, .failed, .leaving, .finished:
            return unexpected("engineStartFailed")
        }
    }

    mutating func engineProcessesSeen(_ processes: [EngineProcess], at now: BootInstant) -> [NodeAction] {
        guard case .running(let run) = state, run.stage != .serving else { return [] }
        let children = processes.filter { $0.pid != run.pid && $0.isPartOfEngine }
        var actions: [NodeAction] = []
        if !children.isEmpty { actions += mark(.engineCoreSpawn, at: now, source: .process) }
        if children.count > 1 { actions += mark(.workerSpawn, at: now, source: .process) }
        return actions
    }

    mutating func logFact(_ fact: LogFact, at now: BootInstant) -> [NodeAction] {
        guard case .running(var run) = state else { return [] }
        var actions: [NodeAction] = []
        if run.stage == .starting {
            run.stage = .loading
            state = .running(run)
        }
        if case .weightsProgress(let done, let total) = fact { progress = WeightsProgress(done: done, total: total) }
        for phase in fact.phases where run.stage != .serving { actions += mark(phase, at: now, source: .log) }
        if fact.announcesListening, !run.isAboutToListen, run.stage == .loading {
            run.isAboutToListen = true
            state = .running(run)
            actions += [.cancel(.probe), .probeHealth]
        }
        return actions
    }

    /// Every phase is told to operators and control plane as it begins.
    private mutating func mark(_ phase: Phase, at now: BootInstant, source: Timeline.Source) -> [NodeAction] {
        guard timeline.record(phase, at: now, source: source) else { return [] }
        let sinceExec = timeline.seconds(from: .engineExec, to: phase)
        return [.tell(.phase(phase, afterExec: sinceExec)), .report(Report(.phase))]
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
        case (.serving, .unhealthy(let status)):
            return engineFailed(run, reading: "/health of the serving engine answered \(status)")
        case (_, .stranger(let listener)):
            return strangerListens(run, listener)
        case (.verifying, _):
            return []
        case (.serving, .healthy), (.serving, .silent), (.serving, .refused):
            // A busy server may miss a probe; a dead one is seen by its processes.
            return [.arm(.probe, after: settings.probeWhileServing)]
        case (.starting, .refused), (.starting, .silent), (.starting, .unhealthy),
            (.loading, .refused), (.loading, .silent), (.loading, .unhealthy):
            let pause = run.isAboutToListen ? settings.probeWhileListening : settings.probeWhileLoading
            return [.arm(.probe, after: pause)]
        }
    }

    private mutating func healthTurned200(_ run: EngineRun, at now: BootInstant) -> [NodeAction] {
        var run = run
        run.stage = .verifying(attempt: 1)
        state = .running(run)
        let actions = mark(.serverListening, at: now, source: .probe) + mark(.healthOK, at: now, source: .probe)
        return [.sendCanary(model: run.assignment.model)] + actions
    }

    private mutating func strangerListens(_ run: EngineRun, _ listener: PortListener) -> [NodeAction] {
        endEngine(run, cause: .failed(.portInUse(listener)))
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
        return [
            .notifyReady, .report(Report(.ready)),
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
            return [said] + endEngine(run, cause: .failed(report))
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

extension LogFact {
    /// Phases that begin with this line; several, where the lines between are not printed by every version.
    var phases: [Phase] {
        switch self {
        case .version, .nonDefaultArguments, .configResolved: [.engineConfig]
        case .engineCoreInitialising: [.engineCoreSpawn]
        case .workerInitialising: [.workerSpawn]
        case .modelLoadStarted: [.modelInit]
        case .modelInitialised: [.weightsStream]
        case .weightsProgress(let done, let total): done >= total && total > 0 ? [.weightsDone] : [.weightsStream]
        case .streamed, .weightsLoaded, .modelLoaded: [.weightsDone]
        case .compileStarted: [.compile]
        case .kvCacheMemory, .kvCache: [.kvProfile]
        case .graphCaptureStarted: [.graphCapture]
        case .serverStarting, .serverProcessStarted: [.serverListening]
        default: []
        }
    }

    /// uvicorn prints this just before it listens.
    var announcesListening: Bool {
        switch self {
        case .serverProcessStarted, .startupComplete: true
        default: false
        }
    }
}

extension EngineProcess {
    /// Python's resource tracker is a helper; its coming and going says nothing.
    package var isPartOfEngine: Bool { !title.contains("resource_tracker") }

    /// The processes without which the engine cannot answer.
    package var isVital: Bool { title.hasPrefix("VLLM::") }
}
