package import AgentCore
internal import Dispatch
internal import Locking

/// One of the two units waits; its reload is the go, which hands over what the agent wrote meanwhile.
extension SystemdEngineHost {
    package var placeOfWaiting: EnginePlace? { waiting.withLock { $0 }?.place }

    package func park(_ launch: EngineLaunch) async {
        let stale = await onQueue { () -> Ending? in
            guard self.mayPark(at: launch.place) else { return nil }
            // What an agent before this one has left there; one that is on its way out is waited for, too.
            return self.endUnit(at: launch.place)
        }
        if let stale { for await _ in stale.events {} }
        await onQueue {
            guard self.mayPark(at: launch.place),
                case .success(let answer) = self.door.askHere(.start, launch.place), answer.isDone
            else { return }
            let invocation = UnitStatus(answer.lines).invocation
            self.waiting.withLock { $0 = Waiting(place: launch.place, invocation: invocation) }
        }
    }

    private func mayPark(at place: EnginePlace) -> Bool {
        waiting.withLock { $0 } == nil && placeOfCurrent != place
    }

    package func unpark() async {
        let ending = await onQueue { self.takeWaiting().flatMap { self.endUnit(at: $0.place) } }
        guard let ending else { return }
        for await _ in ending.events {}
    }

    /// On the queue. The engine that waits, where it still does; from now on it does not.
    func takeWaiting() -> Waiting? {
        let taken = waiting.withLock { waiting in
            defer { waiting = nil }
            return waiting
        }
        guard let taken, let status = status(taken.place), status.isThere, status.invocation == taken.invocation
        else { return nil }
        return taken
    }
}
