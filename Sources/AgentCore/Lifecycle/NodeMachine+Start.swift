// The model of the start, fed with what the machine learns. It decides nothing.

extension NodeMachine {
    /// After every event, with the state that the event found.
    mutating func account(for event: NodeEvent, in before: NodeState, at now: BootInstant) {
        switch (before, state) {
        case (.preparing(let old), .preparing(let new)) where old == new:
            if case .downloadBegan(_, let download) = event, download.missingBytes > 0 {
                start.note(.downloading(bytes: Int64(clamping: download.missingBytes)), at: now)
            }
        case (_, .preparing):
            start = StartTimeline()
            start.note(.preparing, at: now)
        case (.preparing, .running):
            start.note(.prepared, at: now)
        case (.running(let run), .running):
            if run.stage != .serving { note(event, of: run, at: now) }
        case (.preparing, _), (.running, _):
            start.note(.ended, at: now)
        default:
            break
        }
    }

    private mutating func note(_ event: NodeEvent, of run: EngineRun, at now: BootInstant) {
        switch event {
        case .engineStarted: start.note(.executed, at: now)
        case .logFact(let fact): start.note(.log(fact), at: now)
        case .engineProcessesSeen(let processes):
            let spawned = processes.count { $0.pid != run.pid && $0.isSpawned }
            if spawned > 0 { start.note(.engineCoreSeen, at: now) }
            if spawned > 1 { start.note(.workerSeen, at: now) }
        case .engineMoved(let vitals):
            guard let bytes = vitals.traffic?.receivedBytes else { return }
            start.note(.received(bytes: Int64(clamping: bytes), by: .engineSockets), at: now)
        case .healthAnswered(.healthy): start.note(.healthy, at: now)
        case .canaryAnswered: start.note(.firstToken, at: now)
        default: break
        }
    }

    /// Where the time of the last start went; of one that goes on, until now.
    func account(at now: BootInstant) -> StartAccount {
        switch state {
        case .preparing: start.account(at: now)
        case .running(let run): start.account(at: run.stage == .serving ? nil : now)
        case .waiting, .stopping, .backoff, .failed, .leaving, .finished: start.account()
        }
    }
}
