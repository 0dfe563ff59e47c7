internal import AgentCore
internal import AgentWire
internal import Locking

internal import struct Synchronization.Atomic

/// The last published snapshot, for whoever asks over HTTP. Written by the run loop, read by the server's thread.
package final class NodeView: Sendable {
    private struct State {
        var snapshot: NodeSnapshot?
        var sequence: UInt64 = 0
    }

    private let state = Mutex(State())
    private let pendingEvents = Atomic<Int>(0)

    package init() {}

    func publish(_ snapshot: NodeSnapshot, pendingEvents pending: Int) {
        pendingEvents.store(pending, ordering: .relaxed)
        state.withLock { state in
            state.snapshot = snapshot
            state.sequence += 1
        }
    }

    /// nil before the first event was handled.
    func read() -> (snapshot: NodeSnapshot, sequence: UInt64, pendingEvents: Int)? {
        let pending = pendingEvents.load(ordering: .relaxed)
        return state.withLock { state in state.snapshot.map { ($0, state.sequence, pending) } }
    }
}
