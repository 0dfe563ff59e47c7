// One agent ends, the next goes on with the same engine.

extension NodeMachine {
    /// What a successor needs should this agent end now; nil where it finds no engine, or one that is to go.
    ///
    /// An engine that failed belongs to it as long as its failure is not told: the successor must tell it then.
    package var handover: Handover? {
        switch state {
        case .running(let run): handover(run.assignment)
        case .stopping(let stop):
            isForSuccessor(stop) ? handover(stop.assignment) : nil
        case .waiting, .preparing, .backoff, .failed, .leaving, .finished: nil
        }
    }

    /// One that drains on a notice finishes what it does under the next agent too; a second SIGTERM changes nothing.
    private func isForSuccessor(_ stop: EngineStop) -> Bool {
        switch (stop.verdict, stop.next) {
        case (.owed, .recover): true
        case (.none, .hold): stop.exit == nil
        default: false
        }
    }

    private func handover(_ assignment: Assignment) -> Handover {
        Handover(assignment: assignment, timeline: timeline, canaryTook: canaryTook, restarts: restarts)
    }

    /// An engine of an earlier agent was found, before anything else was heard. What was told of it is not told again.
    mutating func engineAdopted(
        _ handover: Handover, pid: Int32?, startedAt: BootInstant, at now: BootInstant
    ) -> [NodeAction] {
        guard case .waiting = state, newestGeneration == 0 else { return unexpected("engineAdopted") + [.killEngine] }
        generation = handover.assignment.generation
        newestGeneration = generation
        restarts = handover.restarts
        timeline = handover.timeline
        canaryTook = handover.canaryTook
        readyAt = timeline[.firstToken]
        var run = EngineRun(handover.assignment)
        run.pid = pid
        run.movement = MovementWatch(since: now)
        run.stage = stage(after: timeline)
        state = .running(run)
        let said: [NodeAction] = [.tell(.engineAdopted(pid: pid, generation: generation))] + execution(at: startedAt)
        return said + (run.stage == .serving ? [.notifyReady, .probeHealth] : [.probeHealth])
    }

    /// The earlier agent may have ended between the execution and telling it.
    private mutating func execution(at startedAt: BootInstant) -> [NodeAction] {
        guard timeline.record(.engineExec, at: startedAt, source: .process) else { return [] }
        timeline.record(.engineImport, at: startedAt, source: .process)
        return [.report(.begun(.engineExec))]
    }

    private func stage(after timeline: Timeline) -> EngineRun.Stage {
        if timeline[.firstToken] != nil { return .serving }
        let isSilent = timeline.marks.allSatisfy { $0.source != .log }
        return isSilent ? .starting : .loading
    }

    /// "I shall be back": the engine stays, the successor goes on with it. Whoever is leaving for good is not back.
    mutating func restartRequested() -> [NodeAction] {
        switch state {
        case .waiting, .preparing, .running, .backoff, .failed: return [.handOver]
        case .stopping(let stop):
            if case .leave = stop.next { return [] }
            return [.handOver]
        case .leaving, .finished: return []
        }
    }
}
