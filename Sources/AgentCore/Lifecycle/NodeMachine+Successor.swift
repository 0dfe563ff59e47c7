// A new assignment while an engine loads or serves: proved first, then the engines are changed. One that cannot work
// leaves what runs as it is.

extension NodeMachine {
    /// `run` goes on until this one is proved.
    mutating func follow(_ run: EngineRun, with assignment: Assignment, at now: BootInstant) -> [NodeAction] {
        let waited: [NodeAction] = isSuccessorWaiting ? [.cancel(.backoff)] : []
        successor = Successor(assignment, receivedAt: now)
        let said = NodeAction.tell(
            .successorReceived(
                generation: assignment.generation, model: assignment.model, current: run.assignment.generation))
        return waited + [said] + proveSuccessor()
    }

    /// One preparation at a time; what is overtaken answers first.
    mutating func proveSuccessor() -> [NodeAction] {
        guard case .running = state, let successor, successor.standing == .proving, preparationInFlight == nil, !isHeld
        else { return [] }
        preparationInFlight = successor.assignment.generation
        return [.prove(successor.assignment)]
    }

    /// Nothing is known that speaks against it: the engine before it has done its work.
    mutating func proved(_ generation: Int64) -> [NodeAction] {
        preparationAnswered()
        switch state {
        case .running(let run):
            guard successor?.assignment.generation == generation, successor?.standing == .proving, !isHeld else {
                return proveSuccessor()
            }
            return endEngine(run, next: .change)
        case .preparing(let assignment):
            // The engine before it has gone by itself meanwhile.
            guard assignment.generation == generation, !isHeld else { return prepare(assignment) }
            preparationInFlight = generation
            return [.prepare(assignment)]
        case .waiting, .stopping, .backoff, .failed, .leaving, .finished:
            return []
        }
    }

    /// The engine that runs goes on.
    mutating func successorFailed(_ generation: Int64, _ report: FailureReport) -> [NodeAction] {
        guard var successor, successor.assignment.generation == generation, successor.standing == .proving else {
            return proveSuccessor()
        }
        let said: [NodeAction] = [
            .tell(.successorRefused(generation: generation, current: self.generation, report)),
            .report(.failed(report, of: successor.assignment)),
        ]
        let changes = SettingChange.after(report, of: successor.assignment)
        guard report.canPass(with: changes) else {
            successor.standing = .refused(report)
            self.successor = successor
            return said
        }
        let delay = successor.tries.delayAfterFailure(served: nil)
        let learned = lesson(changes, of: successor.assignment)
        successor.assignment = successor.assignment.with(changes)
        successor.standing = .waiting(report)
        self.successor = successor
        return said + learned + [.tell(.retrying(after: delay, with: changes)), .arm(.backoff, after: delay)]
    }

    mutating func tryAgainWithSuccessor() -> [NodeAction] {
        guard isSuccessorWaiting else { return [] }
        successor?.standing = .proving
        successor?.preflight = nil
        successor?.progress = nil
        return proveSuccessor()
    }

    private var isSuccessorWaiting: Bool {
        if case .waiting = successor?.standing { true } else { false }
    }

    /// What follows an engine that nobody has asked to make way: what is wanted now, where there is something new.
    func afterwards(_ usual: EngineStop.Next) -> EngineStop.Next {
        successor?.isWanted == true ? .change : usual
    }

    /// Its engine is the next.
    mutating func acceptSuccessor() -> [NodeAction] {
        guard let successor else { preconditionFailure("an engine makes way only for another assignment") }
        self.successor = nil
        let actions = accept(successor.assignment, at: successor.receivedAt)
        preflight = successor.preflight
        download = successor.download
        return actions
    }
}

// MARK: What is found out about it

extension NodeMachine {
    private func knows(_ generation: Int64) -> Bool {
        if case .preparing = state { return false }
        return successor?.assignment.generation == generation
    }

    mutating func successorJudged(_ generation: Int64, _ report: PreflightReport) -> [NodeAction] {
        guard knows(generation) else { return [] }
        successor?.preflight = report
        return [.tell(.preflightDone(report))]
    }

    mutating func successorDownloads(_ generation: Int64, _ begun: ModelDownload, at now: BootInstant) -> [NodeAction] {
        guard knows(generation) else { return [] }
        successor?.download = begun
        if begun.missingBytes > 0 {
            var load = LoadProgress()
            load.totalBytes = Double(begun.missingBytes)
            load.received(0, at: now)
            successor?.progress = load
        }
        return [.tell(.downloadBegan(begun))]
    }

    mutating func successorMoved(_ generation: Int64, _ bytes: UInt64, at now: BootInstant) -> [NodeAction] {
        if knows(generation) { successor?.progress?.received(bytes, at: now) }
        return []
    }
}
