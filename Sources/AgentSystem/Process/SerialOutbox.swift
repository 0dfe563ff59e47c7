internal import Dispatch
internal import Synchronization

/// Runs small blocking writes in order on a thread of their own, so that a stalled journal or service manager
/// never holds up the agent. What does not fit is dropped and counted.
final class SerialOutbox: Sendable {
    private let queue: DispatchQueue
    private let limit: Int
    private let state = Mutex((waiting: 0, dropped: 0))

    /// At most `limit` writes wait.
    init(label: String, limit: Int) {
        queue = DispatchQueue(label: label, qos: .utility)
        self.limit = limit
    }

    /// Hands `write` the number of writes that were dropped before it.
    func submit(_ write: @escaping @Sendable (_ dropped: Int) -> Void) {
        let fits = state.withLock { state in
            guard state.waiting < limit else {
                state.dropped += 1
                return false
            }
            state.waiting += 1
            return true
        }
        guard fits else { return }
        queue.async {
            let dropped = self.state.withLock { state in
                state.waiting -= 1
                defer { state.dropped = 0 }
                return state.dropped
            }
            write(dropped)
        }
    }

    /// Returns when everything submitted before is written. Blocks: for the end of the process only.
    func drain() {
        queue.sync {}
    }
}
