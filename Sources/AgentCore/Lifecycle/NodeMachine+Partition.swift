// A control plane that stays away: it is said, and after as long as the operator grants the node stops itself, since
// whoever lost it may have put another in its place.

/// The node has stopped itself, and begins again when the control plane answers.
package struct Partition: Equatable, Sendable {
    /// How long nothing had been heard by then.
    package var silence: Duration
    /// That the engine is gone has been told.
    var isTold = false
}

extension NodeMachine {
    /// Said once, not once a try.
    mutating func controlPlaneLost(_ reason: String, at now: BootInstant) -> [NodeAction] {
        let wasFine = controlPlaneError == nil
        controlPlaneError = reason
        guard wasFine else { return [] }
        return [.tell(.controlPlaneLost(reason: reason))] + awaitControlPlane(at: now)
    }

    /// It answers polls.
    mutating func controlPlaneFound(at now: BootInstant) -> [NodeAction] {
        heardAt = now
        guard controlPlaneError != nil else { return [] }
        controlPlaneError = nil
        let quiet: [NodeAction] = settings.partitionStop == nil ? [] : [.cancel(.partition)]
        return [.tell(.controlPlaneFound)] + quiet + endPartition(at: now)
    }

    /// It has taken an event or a heartbeat: it is there, though it may answer no poll.
    mutating func controlPlaneHeard(at now: BootInstant) -> [NodeAction] {
        heardAt = now
        return []
    }

    private func awaitControlPlane(at now: BootInstant) -> [NodeAction] {
        guard let limit = settings.partitionStop, partition == nil else { return [] }
        return [.arm(.partition, after: max(limit - silence(at: now), .zero))]
    }

    private func silence(at now: BootInstant) -> Duration { heardAt.map { now - $0 } ?? .zero }

    mutating func partitionFired(at now: BootInstant) -> [NodeAction] {
        guard let limit = settings.partitionStop, controlPlaneError != nil, partition == nil else { return [] }
        let silence = silence(at: now)
        guard silence >= limit else { return awaitControlPlane(at: now) }
        let said = NodeAction.tell(.partitioned(silence: silence))
        switch state {
        case .running(let run):
            partition = Partition(silence: silence)
            return [said] + endEngine(run, next: afterwards(.hold))
        case .preparing(let assignment):
            partition = Partition(silence: silence)
            return [said] + prepare(assignment)
        case .backoff(let assignment, _):
            partition = Partition(silence: silence)
            return [said, .cancel(.backoff)] + prepare(assignment)
        case .stopping(let stop):
            // Nothing follows it before the control plane is back.
            if case .leave = stop.next { return [] }
            partition = Partition(silence: silence)
            return [said]
        case .waiting, .failed, .leaving, .finished:
            return []
        }
    }

    /// Once there is no engine any more.
    mutating func sayPartitionStop() -> [NodeAction] {
        guard partition?.isTold == false else { return [] }
        partition?.isTold = true
        return [.report(.ending(.stopped, because: Self.partitionReason))]
    }

    static let partitionReason = "partition"

    private mutating func endPartition(at now: BootInstant) -> [NodeAction] {
        guard partition != nil else { return [] }
        partition = nil
        guard case .preparing(let assignment) = state, !isHeld else { return [] }
        start = StartTimeline()
        start.note(.preparing, at: now)
        return prepare(assignment)
    }
}
