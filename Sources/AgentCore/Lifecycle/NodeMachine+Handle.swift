extension NodeMachine {
    /// The only way in. Effects follow the returned actions, after the state has changed.
    package mutating func handle(_ event: NodeEvent, at now: BootInstant) -> [NodeAction] {
        switch event {
        case .agentStarted: return agentStarted(at: now)
        case .assignmentReceived(let assignment): return assignmentReceived(assignment, at: now)
        case .assignmentRejected(let generation, let faults): return assignmentRejected(generation, faults)
        case .assignmentRevoked: return stop(.revoked, at: now)
        case .controlPlaneLost(let reason): return controlPlaneLost(reason)
        case .controlPlaneFound: return controlPlaneFound()
        case .prepared(let generation): return prepared(generation, at: now)
        case .preparationFailed(let generation, let report): return preparationFailed(generation, report)
        case .engineStarted(let pid): return engineStarted(pid, at: now)
        case .engineStartFailed(let failure): return engineStartFailed(failure)
        case .engineProcessEnded(let process): return engineProcessEnded(process)
        case .engineExited(let exit): return engineExited(exit)
        case .engineGone: return engineGone(at: now)
        case .engineProcessesSeen(let processes): return engineProcessesSeen(processes, at: now)
        case .logFact(let fact): return logFact(fact, at: now)
        case .failureExplained(let report): return failureExplained(report, at: now)
        case .healthAnswered(let answer): return healthAnswered(answer, at: now)
        case .canaryAnswered(let took): return canaryAnswered(took, at: now)
        case .canaryFailed(let reason): return canaryFailed(reason)
        case .timerFired(let timer): return timerFired(timer)
        case .stopRequested: return stop(.agentStop, at: now)
        case .eventsDelivered: return eventsDelivered()
        case .readyAcknowledged: return readyAcknowledged(at: now)
        }
    }

    private mutating func agentStarted(at now: BootInstant) -> [NodeAction] {
        timeline.record(.agentStarted, at: now, source: .agent)
        return [.report(Report(.agentStarted)), .tell(.waitingForAssignment)]
    }

    func unexpected(_ event: String) -> [NodeAction] {
        [.tell(.unexpected(event: event, state: state.name))]
    }
}

// MARK: Control plane

extension NodeMachine {
    private mutating func assignmentReceived(_ assignment: Assignment, at now: BootInstant) -> [NodeAction] {
        guard assignment.generation > generation else {
            return [.tell(.staleAssignment(generation: assignment.generation, current: generation))]
        }
        switch state {
        case .waiting, .preparing, .failed:
            return accept(assignment, at: now)
        case .backoff:
            return [.cancel(.backoff)] + accept(assignment, at: now)
        case .running(let run):
            generation = assignment.generation
            return endEngine(run, cause: .superseded(by: assignment))
        case .stopping(var stop):
            // An agent on its way out, or a node revoked, takes nothing new.
            guard stop.cause != .agentStop, stop.cause != .revoked else { return [] }
            generation = assignment.generation
            stop.cause = .superseded(by: assignment)
            state = .stopping(stop)
            return stop.isGone ? afterEngine(stop, at: now) : []
        case .leaving, .finished:
            return []
        }
    }

    mutating func accept(_ assignment: Assignment, at now: BootInstant) -> [NodeAction] {
        generation = assignment.generation
        failure = nil
        failureExit = nil
        rejectedFaults = []
        restarts.newAssignment()
        timeline.forgetAssignment()
        timeline.record(.assignmentReceived, at: now, source: .agent)
        return [
            .tell(.assignmentAccepted(generation: assignment.generation, model: assignment.model)),
            .report(Report(.assignmentAccepted)),
        ] + prepare(assignment)
    }

    mutating func prepare(_ assignment: Assignment) -> [NodeAction] {
        progress = nil
        timeline.forgetStart()
        state = .preparing(assignment)
        return [.prepare(assignment)]
    }

    /// The last good assignment goes on.
    private mutating func assignmentRejected(_ generation: Int64?, _ faults: [FieldFault]) -> [NodeAction] {
        guard faults != rejectedFaults else { return [] }
        rejectedFaults = faults
        return [.tell(.assignmentRejected(faults)), .report(Report(.assignmentRejected, faults: faults))]
    }

    /// Said once, not once a try.
    private mutating func controlPlaneLost(_ reason: String) -> [NodeAction] {
        let wasFine = controlPlaneError == nil
        controlPlaneError = reason
        return wasFine ? [.tell(.controlPlaneLost(reason: reason))] : []
    }

    private mutating func controlPlaneFound() -> [NodeAction] {
        guard controlPlaneError != nil else { return [] }
        controlPlaneError = nil
        return [.tell(.controlPlaneFound)]
    }

    private mutating func readyAcknowledged(at now: BootInstant) -> [NodeAction] {
        // An acknowledgement that was delayed past the end of its engine says nothing about the next one.
        if case .running(let run) = state, run.stage == .serving {
            timeline.record(.readyAcked, at: now, source: .agent)
        }
        return []
    }
}

// MARK: Preparation

extension NodeMachine {
    private mutating func prepared(_ prepared: Int64, at now: BootInstant) -> [NodeAction] {
        switch state {
        case .preparing(let assignment):
            // A preparation for an older generation was overtaken.
            guard assignment.generation == prepared else { return [] }
            timeline.record(.preflightDone, at: now, source: .agent)
            state = .running(EngineRun(assignment))
            return [.startEngine]
        case .waiting, .running, .stopping, .backoff, .failed, .leaving, .finished:
            return []
        }
    }

    private mutating func preparationFailed(_ prepared: Int64, _ report: FailureReport) -> [NodeAction] {
        switch state {
        case .preparing(let assignment):
            guard assignment.generation == prepared else { return [] }
            return fail(assignment, report, exit: nil)
        case .waiting, .running, .stopping, .backoff, .failed, .leaving, .finished:
            return []
        }
    }

    /// No engine is left: say why, then wait for a better moment or for another assignment.
    mutating func fail(_ assignment: Assignment, _ report: FailureReport, exit: EngineExit?) -> [NodeAction] {
        failure = report
        failureExit = exit
        let said: [NodeAction] = [
            .tell(.failed(report, exit)), .report(Report(.failed, failure: report, exit: exit)),
        ]
        return said + retry(assignment, report)
    }

    mutating func retry(
        _ assignment: Assignment, _ report: FailureReport, served: Duration? = nil
    ) -> [NodeAction] {
        progress = nil
        switch report.failure.retryPolicy {
        case .final:
            state = .failed(assignment, report)
            return []
        case .retry:
            let delay = restarts.delayAfterFailure(served: served)
            state = .backoff(assignment, report)
            return [.tell(.retrying(after: delay)), .arm(.backoff, after: delay)]
        }
    }
}

// MARK: Timers

extension NodeMachine {
    private mutating func timerFired(_ timer: NodeTimer) -> [NodeAction] {
        switch timer {
        case .probe: probeFired()
        case .canary: canaryFired()
        case .settle: settleFired()
        case .secondTerminate: secondTerminateFired()
        case .kill, .leftovers: killFired()
        case .backoff: backoffFired()
        case .delivery: deliveryFired()
        }
    }

    private mutating func backoffFired() -> [NodeAction] {
        switch state {
        case .backoff(let assignment, _): prepare(assignment)
        case .waiting, .preparing, .running, .stopping, .failed, .leaving, .finished: []
        }
    }
}

extension NodeState {
    /// The word in heartbeat and events.
    package var name: String {
        switch self {
        case .waiting: "waiting"
        case .preparing: "preparing"
        case .running(let run): run.stage.name
        case .stopping(let stop): stop.cause.mayDrain ? "draining" : "failed"
        case .backoff, .failed: "failed"
        case .leaving, .finished: "stopped"
        }
    }
}

extension EngineRun.Stage {
    package var name: String {
        switch self {
        case .starting: "starting"
        case .loading: "loading"
        case .verifying: "verifying"
        case .serving: "serving"
        }
    }
}
