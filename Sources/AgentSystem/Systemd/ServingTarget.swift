internal import Dispatch
internal import Locking

/// `crosslogic-serving.target`: active exactly while the model serves.
struct ServingTarget: Sendable {
    private let executor: QueueExecutor
    private let door: EngineDoor

    init(_ path: String) {
        executor = QueueExecutor(label: "io.crosslogic.serving")
        door = EngineDoor(path, on: executor)
    }

    /// Returns at once. The end of the engine stops the target too, so that a request that gets lost does no harm.
    func set(_ isServing: Bool) {
        executor.queue.async { [door] in
            _ = door.askHere(isServing ? .serving : .idle)
        }
    }

    private static let patience = DispatchTimeInterval.seconds(5)

    /// Blocks until everything is asked for: the target would stay active if nobody asked any more.
    func drain() {
        let drained = DispatchSemaphore(value: 0)
        executor.queue.async { drained.signal() }
        _ = drained.wait(timeout: .now() + Self.patience)
    }
}
