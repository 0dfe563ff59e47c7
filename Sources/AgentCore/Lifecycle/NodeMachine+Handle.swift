extension NodeMachine {
    /// The only way in. Effects follow the returned actions, after the state has changed.
    package mutating func handle(_ event: NodeEvent, at now: BootInstant) -> [NodeAction] {
        let before = state
        let actions = react(to: event, at: now) + abandonPreparation()
        account(for: event, in: before, at: now)
        return actions
    }

    private mutating func react(to event: NodeEvent, at now: BootInstant) -> [NodeAction] {
        switch event {
        case .agentStarted: return agentStarted(at: now)
        case .assignmentReceived(let assignment): return assignmentReceived(assignment, at: now)
        case .assignmentRejected(let generation, let faults): return assignmentRejected(generation, faults)
        case .assignmentRevoked: return stop(isRevoked: true, at: now)
        case .controlPlaneLost(let reason): return controlPlaneLost(reason, at: now)
        case .controlPlaneFound: return controlPlaneFound(at: now)
        case .controlPlaneHeard: return controlPlaneHeard(at: now)
        case .preflightDone(let generation, let report): return preflightDone(generation, report)
        case .downloadBegan(let generation, let download): return downloadBegan(generation, download, at: now)
        case .downloadMoved(let generation, let bytes): return downloadMoved(generation, bytes, at: now)
        case .prepared(let generation, let drains): return prepared(generation, engineDrains: drains, at: now)
        case .proved(let generation): return proved(generation)
        case .preparationAbandoned: return preparationAbandoned()
        case .preparationFailed(let generation, let report): return preparationFailed(generation, report)
        case .engineAdopted(let handover, let pid, let startedAt):
            return engineAdopted(handover, pid: pid, startedAt: startedAt, at: now)
        case .engineStarted(let pid): return engineStarted(pid, at: now)
        case .engineStartFailed(let failure): return engineStartFailed(failure, at: now)
        case .engineProcessEnded(let process): return engineProcessEnded(process)
        case .engineExited(let exit): return engineExited(exit)
        case .engineGone: return engineGone(at: now)
        case .engineProcessesSeen(let processes): return engineProcessesSeen(processes, at: now)
        case .engineMoved(let vitals): return engineMoved(vitals, at: now)
        case .startExpected(let generation, let expectation): return startExpected(generation, expectation)
        case .logFact(let fact): return logFact(fact, at: now)
        case .failureExplained(let report): return failureExplained(report, at: now)
        case .healthAnswered(let answer): return healthAnswered(answer, at: now)
        case .canaryAnswered(let took): return canaryAnswered(took, at: now)
        case .canaryFailed(let reason): return canaryFailed(reason)
        case .cachesJudged(let generation, let verdict): return cachesJudged(generation, verdict)
        case .timerFired(let timer): return timerFired(timer, at: now)
        case .stopRequested: return stop(isRevoked: false, at: now)
        case .restartRequested: return restartRequested()
        case .eventsDelivered: return eventsDelivered()
        case .readyAcknowledged: return readyAcknowledged(at: now)
        case .storageChanged(let problem):
            storageError = problem
            return []
        case .deliveryChanged(let problem):
            deliveryError = problem
            return []
        case .preemption(let event): return preempt(event, at: now)
        }
    }

    private mutating func agentStarted(at now: BootInstant) -> [NodeAction] {
        timeline.record(.agentStarted, at: now, source: .agent)
        heardAt = heardAt ?? now
        let waiting: [NodeAction] = state == .waiting ? [.tell(.waitingForAssignment)] : []
        return [.report(Report(.agentStarted))] + waiting + [
            .extendStartTimeout, .arm(.keepAlive, after: settings.keepAlive),
        ]
    }

    private mutating func timerFired(_ timer: NodeTimer, at now: BootInstant) -> [NodeAction] {
        switch timer {
        case .probe: probeFired()
        case .canary: canaryFired()
        case .settle: settleFired()
        case .ask: askFired()
        case .drained: drainedFired()
        case .secondTerminate: secondTerminateFired()
        case .kill, .leftovers: killFired()
        case .stuck: stuckFired(at: now)
        case .backoff: backoffFired()
        case .delivery: deliveryFired()
        case .keepAlive: keepAliveFired(at: now)
        case .partition: partitionFired(at: now)
        case .preemption(.begin): beginFired(at: now)
        case .preemption(.cut): cutFired()
        case .preemption(.count): countFired()
        case .preemption(.lapse): lapseFired(at: now)
        }
    }

    /// Extends the start for as long as the node is not ready, and while a start runs only for as long as it may stand
    /// still: its end is the agent's to decide, and not systemd's.
    private func keepAliveFired(at now: BootInstant) -> [NodeAction] {
        let again = NodeAction.arm(.keepAlive, after: settings.keepAlive)
        switch state {
        case .running(let run):
            guard run.stage != .serving else { return [again] }
            return mayStandStill(run, at: now) ? [.extendStartTimeout, again] : [again]
        case .waiting, .preparing, .stopping, .backoff, .failed:
            return [.extendStartTimeout, again]
        case .leaving, .finished:
            return []
        }
    }

    private func mayStandStill(_ run: EngineRun, at now: BootInstant) -> Bool {
        guard settings.stallAfter > .zero else { return true }
        guard let moved = run.movement?.lastMovement else { return false }
        return now - moved < max(settings.stillness, settings.stallAfter)
    }

    func unexpected(_ event: String) -> [NodeAction] {
        [.tell(.unexpected(event: event, state: state.name))]
    }
}

extension NodeState {
    /// The word in heartbeat and events.
    package var name: String {
        switch self {
        case .waiting: "waiting"
        case .preparing: "preparing"
        case .running(let run): run.stage.name
        case .stopping(let stop): stop.isOrderly ? "draining" : "failed"
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
