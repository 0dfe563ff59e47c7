internal import AgentCore
internal import AgentWire
internal import Locking

/// The last published snapshot, for whoever asks over HTTP. Written by the run loop, read by the server's thread.
package final class NodeView: Sendable {
    private struct State {
        var snapshot: NodeSnapshot?
        var sequence: UInt64 = 0
        var outbox: Outbox?
    }

    private let state = Mutex(State())

    package init() {}

    func watch(_ outbox: Outbox) {
        state.withLock { $0.outbox = outbox }
    }

    func publish(_ snapshot: NodeSnapshot) {
        state.withLock { state in
            state.snapshot = snapshot
            state.sequence += 1
        }
    }

    /// nil before the first event was handled. Events are counted now: their number changes between snapshots.
    func read() -> (snapshot: NodeSnapshot, sequence: UInt64, outbox: OutboxFigures)? {
        let state = state.withLock { $0 }
        return state.snapshot.map { ($0, state.sequence, state.outbox?.figures ?? OutboxFigures()) }
    }
}
