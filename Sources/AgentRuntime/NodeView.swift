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

    /// Of what an answer is made: equal ones have equal answers.
    struct Version: Equatable, Sendable {
        /// Rises with every snapshot.
        var sequence: UInt64
        /// Counted now: events come and go between snapshots.
        var outbox: OutboxFigures
    }

    private let state = Mutex(State())
    /// Whether the control plane wants to be told what is seen here.
    let wish = PushWish()

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

    /// nil before the first event was handled.
    var version: Version? {
        let (sequence, outbox) = state.withLock { ($0.sequence, $0.outbox) }
        return sequence == 0 ? nil : Version(sequence: sequence, outbox: outbox?.figures ?? OutboxFigures())
    }

    /// nil before the first event was handled.
    func read() -> (snapshot: NodeSnapshot, version: Version)? {
        let state = state.withLock { $0 }
        return state.snapshot.map {
            ($0, Version(sequence: state.sequence, outbox: state.outbox?.figures ?? OutboxFigures()))
        }
    }
}
