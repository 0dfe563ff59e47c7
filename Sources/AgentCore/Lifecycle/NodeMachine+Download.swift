// A model that is brought to this machine before its engine is started, and preparations that nobody wants any more.

extension NodeMachine {
    mutating func downloadBegan(_ generation: Int64, _ begun: ModelDownload, at now: BootInstant) -> [NodeAction] {
        guard case .preparing(let assignment) = state, assignment.generation == generation else {
            return successorDownloads(generation, begun, at: now)
        }
        download = begun
        let said = NodeAction.tell(.downloadBegan(begun))
        guard begun.missingBytes > 0 else { return [said] }
        timeline.record(.preflightDone, at: now, source: .agent)
        timeline.record(.downloading, at: now, source: .agent)
        var load = LoadProgress()
        load.totalBytes = Double(begun.missingBytes)
        load.received(0, at: now)
        progress = load
        return [said, .report(.begun(.downloading))]
    }

    mutating func downloadMoved(_ generation: Int64, _ bytes: UInt64, at now: BootInstant) -> [NodeAction] {
        guard case .preparing(let assignment) = state, assignment.generation == generation else {
            return successorMoved(generation, bytes, at: now)
        }
        progress?.received(bytes, at: now)
        return []
    }

    /// What takes its place follows; on a notice nothing does.
    mutating func preparationAbandoned() -> [NodeAction] {
        preparationAnswered()
        guard case .preparing(let assignment) = state else { return proveSuccessor() }
        return prepare(assignment)
    }

    mutating func preparationAnswered() {
        preparationInFlight = nil
        isPreparationAbandoned = false
    }

    /// A download takes minutes: it ends as soon as nobody waits for it.
    mutating func abandonPreparation() -> [NodeAction] {
        guard let preparationInFlight, !isPreparationAbandoned, !isWanted(preparationInFlight) else { return [] }
        isPreparationAbandoned = true
        return [.abandonPreparation]
    }

    private func isWanted(_ preparation: Int64) -> Bool {
        guard !isHeld else { return false }
        return switch state {
        case .preparing(let assignment): assignment.generation == preparation
        case .running: successor?.assignment.generation == preparation && successor?.standing == .proving
        case .stopping(let stop): stop.next == .change && successor?.assignment.generation == preparation
        case .waiting, .backoff, .failed, .leaving, .finished: false
        }
    }
}
