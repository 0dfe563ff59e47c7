internal import Dispatch
internal import Locking

internal import struct Synchronization.Atomic

/// Runs small blocking writes in order on a thread of their own, so that a stalled journal or service manager
/// never holds up the agent. What does not fit is dropped and counted.
final class SerialOutbox: Sendable {
    private let queue: DispatchQueue
    private let limit: Int
    // Two atomics and no Mutex: on Linux the thread sanitizer cannot see into a Mutex that is contended.
    private let waiting = Atomic(0)
    private let dropped = Atomic(0)

    /// At most `limit` writes wait.
    init(label: String, limit: Int) {
        queue = DispatchQueue(label: label, qos: .utility)
        self.limit = limit
    }

    /// Hands `write` the number of writes that were dropped before it.
    func submit(_ write: @escaping @Sendable (_ dropped: Int) -> Void) {
        guard waiting.wrappingAdd(1, ordering: .relaxed).newValue <= limit else {
            waiting.wrappingSubtract(1, ordering: .relaxed)
            dropped.wrappingAdd(1, ordering: .relaxed)
            return
        }
        queue.async {
            self.waiting.wrappingSubtract(1, ordering: .relaxed)
            write(self.dropped.exchange(0, ordering: .relaxed))
        }
    }

    /// Returns when everything submitted before is written. Blocks: for the end of the process only.
    func drain() {
        queue.sync {}
    }
}
