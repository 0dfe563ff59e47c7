// What the control plane wants, and the preparation for it.

extension NodeMachine {
    mutating func assignmentReceived(_ assignment: Assignment, at now: BootInstant) -> [NodeAction] {
        // After an adoption the control plane tells what the earlier agent knew.
        if assignment == self.assignment?.asReceived { return [] }
        guard assignment.generation > newestGeneration else {
            if assignment.generation == generation { return assignmentRejected(generation, [.changedWish(generation)]) }
            return [.tell(.staleAssignment(generation: assignment.generation, current: newestGeneration))]
        }
        newestGeneration = assignment.generation
        switch state {
        case .waiting, .preparing, .failed:
            return accept(assignment, at: now)
        case .backoff:
            return [.cancel(.backoff)] + accept(assignment, at: now)
        case .running(let run) where assignment.brings(newCredentialsFor: run.assignment.asReceived):
            return renew(run, assignment.tried(like: run.assignment))
        case .running(let run):
            return follow(run, with: assignment, at: now)
        case .stopping(var stop):
            // An agent on its way out, or a node revoked, takes nothing new.
            if case .leave = stop.next { return [] }
            successor = Successor(assignment, receivedAt: now)
            stop.next = .change
            state = .stopping(stop)
            return []
        case .leaving, .finished:
            return []
        }
    }

    /// The engine has read its weights or is about to; the next one opens the store with the new credentials.
    private mutating func renew(_ run: EngineRun, _ assignment: Assignment) -> [NodeAction] {
        var run = run
        run.assignment = assignment
        state = .running(run)
        generation = assignment.generation
        rejectedFaults = []
        successor = nil
        return [
            .tell(.assignmentAccepted(generation: assignment.generation, model: assignment.model)),
            .renewCredentials(assignment), .report(Report(.assignmentAccepted)),
        ]
    }

    /// `instant` is when the assignment came, which may be a whole drain ago.
    mutating func accept(_ assignment: Assignment, at instant: BootInstant) -> [NodeAction] {
        generation = assignment.generation
        successor = nil
        failure = nil
        failureExit = nil
        rejectedFaults = []
        restarts.newAssignment()
        timeline.forgetAssignment()
        timeline.record(.assignmentReceived, at: instant, source: .agent)
        return [
            .tell(.assignmentAccepted(generation: assignment.generation, model: assignment.model)),
            .report(Report(.assignmentAccepted)),
        ] + prepare(assignment)
    }

    mutating func prepare(_ assignment: Assignment) -> [NodeAction] {
        progress = nil
        expectation = nil
        preflight = nil
        download = nil
        caches = nil
        timeline.forgetStart()
        state = .preparing(assignment)
        // The one in flight is overtaken; this one follows when that has answered. On a notice nothing is started, and
        // not while the control plane is away for too long.
        guard preparationInFlight == nil, !isHeld else { return sayPartitionStop() }
        preparationInFlight = assignment.generation
        return [.prepare(assignment)]
    }

    /// The last good assignment goes on.
    mutating func assignmentRejected(_ generation: Int64?, _ faults: [FieldFault]) -> [NodeAction] {
        guard faults != rejectedFaults || generation != rejectedGeneration else { return [] }
        rejectedFaults = faults
        rejectedGeneration = generation
        return [.tell(.assignmentRejected(faults)), .report(.rejected(generation, faults))]
    }

    mutating func readyAcknowledged(at now: BootInstant) -> [NodeAction] {
        // An acknowledgement that was delayed past the end of its engine says nothing about the next one.
        if case .running(let run) = state, run.stage == .serving {
            timeline.record(.readyAcked, at: now, source: .agent)
        }
        return []
    }
}

// MARK: Preparation

extension NodeMachine {
    mutating func prepared(
        _ prepared: Int64, engineDrains: Duration?, at now: BootInstant
    ) -> [NodeAction] {
        preparationAnswered()
        switch state {
        case .preparing(let assignment):
            guard assignment.generation == prepared, !isHeld else { return prepare(assignment) }
            timeline.record(.preflightDone, at: now, source: .agent)
            progress = nil
            var run = EngineRun(assignment)
            run.drains = engineDrains
            state = .running(run)
            return [.startEngine(generation: prepared)]
        case .waiting, .running, .stopping, .backoff, .failed, .leaving, .finished:
            return []
        }
    }

    mutating func preparationFailed(_ prepared: Int64, _ report: FailureReport) -> [NodeAction] {
        preparationAnswered()
        switch state {
        case .preparing(let assignment):
            guard assignment.generation == prepared, !isHeld else { return prepare(assignment) }
            return sayFailed(report, exit: nil) + retry(assignment, report, served: nil)
        case .running:
            return successorFailed(prepared, report)
        case .waiting, .stopping, .backoff, .failed, .leaving, .finished:
            return []
        }
    }

    mutating func sayFailed(_ report: FailureReport, exit: EngineExit?) -> [NodeAction] {
        failure = report
        failureExit = exit
        return [.tell(.failed(report, exit)), .report(Report(.failed, failure: report, exit: exit))]
    }

    /// No engine is left: wait for a better moment or for another assignment, as the failure's class says.
    mutating func retry(_ assignment: Assignment, _ report: FailureReport, served: Duration?) -> [NodeAction] {
        progress = nil
        // What a load needed is no reason for the end of an engine that served.
        let changes = served == nil ? SettingChange.after(report, of: assignment) : []
        guard report.canPass(with: changes) else {
            state = .failed(assignment, report)
            return []
        }
        let delay = restarts.delayAfterFailure(served: served)
        state = .backoff(assignment.with(changes), report)
        let learned = lesson(changes, of: assignment)
        return learned + [.tell(.retrying(after: delay, with: changes)), .arm(.backoff, after: delay)]
    }

    mutating func backoffFired() -> [NodeAction] {
        switch state {
        case .backoff(let assignment, _): prepare(assignment)
        case .running: tryAgainWithSuccessor()
        case .waiting, .preparing, .stopping, .failed, .leaving, .finished: []
        }
    }
}
