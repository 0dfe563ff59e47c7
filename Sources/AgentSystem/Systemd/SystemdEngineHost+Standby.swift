package import AgentCore
internal import Dispatch
internal import Locking

/// The unit itself waits; its reload is the go, which hands over what the agent wrote meanwhile.
extension SystemdEngineHost {
    package var parksBeside: Bool { false }

    package func park(_ launch: EngineLaunch) async {
        await onQueue {
            guard !self.isBusy, self.waiting.withLock({ $0 }) == nil else { return }
            // One that is on its way out is waited for by systemd.
            guard let before = self.status(), before.activeState == "deactivating" || !before.isThere else { return }
            guard case .success(let answer) = self.door.askHere(.start), answer.isDone else { return }
            self.waiting.withLock { $0 = UnitStatus(answer.lines).invocation }
        }
    }

    package func unpark() async {
        let ending = await onQueue { self.takeWaiting() ? self.endUnit() : nil }
        guard let ending else { return }
        for await _ in ending.events {}
    }

    /// On the queue. Whether the unit is the engine that waits; from now on it is not.
    func takeWaiting() -> Bool {
        let invocation = waiting.withLock { waiting in
            defer { waiting = nil }
            return waiting
        }
        guard let invocation, let status = status() else { return false }
        return status.isThere && status.invocation == invocation
    }
}
