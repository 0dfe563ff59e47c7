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
        exit.open()
        parking.withLock { $0 = launch.place }
        await withTaskCancellationHandler {
            await startWaiting(at: launch.place)
            parking.withLock { $0 = nil }
        } onCancel: {
            // The agent ends. A start that PID 1 holds back until the agent's unit has stopped would hold up that stop.
            exit.insist(on: .kill, launch.place) { [weak self] in self?.parking.withLock { $0 } != nil }
        }
    }

    /// Not on the engine's queue: PID 1 may hold this start back for as long as an engine drains.
    private func startWaiting(at place: EnginePlace) async {
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            parkingExecutor.queue.async {
                defer { continuation.resume() }
                guard self.mayPark(at: place), case .success(let answer) = self.parkingDoor.askHere(.start, place),
                    answer.isDone
                else { return }
                let invocation = UnitStatus(answer.lines).invocation
                self.waiting.withLock { $0 = Waiting(place: place, invocation: invocation) }
            }
        }
    }

    /// A connection that is opened only when the agent's unit stops is not served any more.
    func openParkingDoor() {
        parkingExecutor.queue.async { [parkingDoor] in _ = parkingDoor.askHere(.status, .main) }
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
