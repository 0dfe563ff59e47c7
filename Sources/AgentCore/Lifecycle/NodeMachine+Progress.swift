// How far a start is, how long it will still take, and whether it moves at all.

extension NodeMachine {
    mutating func engineMoved(_ vitals: EngineVitals, at now: BootInstant) -> [NodeAction] {
        guard case .running(var run) = state, run.stage != .serving else { return [] }
        run.movement?.observe(vitals, at: now)
        run.receivedBytes = vitals.traffic?.receivedBytes ?? run.receivedBytes
        state = .running(run)
        if isStreaming, let received = run.receivedBytes { progress?.received(received, at: now) }
        let stall = run.movement?.stall(
            isFetchingConfiguration: run.isFetchingConfiguration, after: settings.stallAfter, at: now)
        return stall.map { engineFailed(run, .stalled($0, in: timeline.marks.last?.phase)) } ?? []
    }

    /// What a line of the log means for progress.
    mutating func follow(_ fact: LogFact, of run: inout EngineRun, at now: BootInstant) {
        run.movement?.moved(at: now)
        switch fact {
        case .nonDefaultArguments, .allArguments: run.isFetchingConfiguration = true
        case .configResolved, .maxModelLength, .engineProcessStarted, .engineCoreInitialising:
            run.isFetchingConfiguration = false
        case .modelInitialised, .streamConcurrency, .streamMemoryLimit: beginWeights(run, at: now)
        case .streamPlanned(let bytes, _):
            beginWeights(run, at: now)
            // Each rank names all that its own files hold, whether it reads that alone or shares the reading
            // (`distributed`): only the preflight knows which.
            let total = expectedBytes ?? bytes * Double(max(1, run.assignment.tensorParallelSize))
            progress?.totalBytes = total
        case .weightsProgress(let done, let total, let unit):
            beginWeights(run, at: now)
            progress?.count = WeightsProgress(done: done, total: total, unit: unit)
        default: break
        }
    }

    mutating func startExpected(_ generation: Int64, _ expected: StartExpectation) -> [NodeAction] {
        if generation == self.generation { expectation = expected }
        return []
    }

    /// nil unless an engine is on its way to serving and such starts are known.
    func estimate(at now: BootInstant) -> Estimate? {
        guard case .running(let run) = state, run.stage != .serving else { return nil }
        return expectation?.estimate(timeline, weightsLeft: progress?.secondsLeft, at: now)
    }

    func startRecord(readyAt now: BootInstant) -> StartRecord {
        guard let exec = timeline[.engineExec] else { return StartRecord(offsets: [:], ready: 0) }
        let offsets = timeline.marks.filter { $0.at > exec }.map { ($0.phase, ($0.at - exec).inSeconds) }
        return StartRecord(offsets: Dictionary(offsets) { first, _ in first }, ready: (now - exec).inSeconds)
    }

    private var isStreaming: Bool { timeline[.weightsStream] != nil && timeline[.weightsDone] == nil }

    private mutating func beginWeights(_ run: EngineRun, at now: BootInstant) {
        guard progress == nil, timeline[.weightsDone] == nil else { return }
        var begun = LoadProgress()
        begun.totalBytes = expectedBytes
        progress = begun
        if let received = run.receivedBytes { progress?.received(received, at: now) }
    }
}

extension FailureReport {
    static func stalled(_ stall: Stall, in phase: Phase?) -> FailureReport {
        let seconds = Int(stall.since.inSeconds)
        let place = phase.map { " in phase \($0.rawValue)" } ?? ""
        switch stall.cause {
        case .everything:
            return FailureReport(
                .stalled,
                message: "the start stands still\(place): no line of the log, no CPU time, no byte from disk or"
                    + " network, no GPU memory taken (where it can be seen) for \(seconds) s",
                process: "agent")
        case .connection:
            return FailureReport(
                .endpointStalled,
                message: "the store accepted a connection for the model's configuration and has sent nothing"
                    + " for \(seconds) s",
                process: "agent")
        }
    }
}
