package import AgentCore
internal import Dispatch
internal import Locking

/// Asks `crosslogic-enginectl` what the GPUs hold: in its sandbox the agent sees none of them. On a connection of its own,
/// for an answer that may take as long as PID 1 gives a driver that hangs.
package final class UnitGPUMeter: GPUMeter {
    private let executor = QueueExecutor(label: "io.crosslogic.gpu-memory")
    private let door: EngineDoor

    package init(path: String = SystemdEngineHost.standardPath) {
        door = EngineDoor(path, on: executor)
    }

    package func look() async -> GPULook {
        let answer = Answer()
        executor.queue.async { [door] in
            guard !answer.isGiven else { return }
            let asked = try? door.askHere(.gpu).get()
            answer.give(asked.map { $0.isDone ? GPULook(lines: $0.lines) : .failed } ?? .failed)
        }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { answer.wait($0) }
        } onCancel: {
            // What was asked is answered into the void.
            answer.give(.failed)
        }
    }
}

/// Given once, by whoever is first.
private final class Answer: Sendable {
    private struct State {
        var look: GPULook?
        var waiter: CheckedContinuation<GPULook, Never>?
    }

    private let state = Mutex(State())

    var isGiven: Bool { state.withLock { $0.look != nil } }

    func give(_ look: GPULook) {
        let waiter = state.withLock { state -> CheckedContinuation<GPULook, Never>? in
            guard state.look == nil else { return nil }
            state.look = look
            return state.waiter
        }
        waiter?.resume(returning: look)
    }

    func wait(_ continuation: CheckedContinuation<GPULook, Never>) {
        let look = state.withLock { state -> GPULook? in
            if state.look == nil { state.waiter = continuation }
            return state.look
        }
        if let look { continuation.resume(returning: look) }
    }
}
