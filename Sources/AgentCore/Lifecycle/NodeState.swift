/// Where a node is in its life.
///
/// ```
///            ┌──────── new generation, proved ──────────┐
///            ▼                                          │
/// waiting → preparing → running(starting → loading → verifying → serving) → stopping → leaving → finished
///               │  ▲                  │                                        │
///               │  └── backoff ◄──────┴──── engine ended, class says retry ◄───┤
///               └────► failed  ◄─────────── class says final ◄─────────────────┘
/// ```
package enum NodeState: Equatable, Sendable {
    /// No assignment yet.
    /// Can transition to:
    ///   - `preparing` when one arrives
    ///   - `leaving` when the agent is asked to stop or the node is revoked
    case waiting

    /// An assignment is being proved and its environment written; no engine is running.
    /// Can transition to:
    ///   - `running` when everything is in place
    ///   - `backoff` or `failed`, as the class of the failure says
    ///   - `preparing` again for a newer generation
    ///   - `leaving`
    case preparing(Assignment)

    /// An engine is running or about to be executed.
    /// Can transition to:
    ///   - `stopping` for every reason there is
    ///   - `backoff` or `failed` when it could not be executed at all
    case running(EngineRun)

    /// The engine is being ended; nothing else happens until not one of its processes is left.
    /// Can transition to:
    ///   - `leaving`, `preparing`, `backoff` or `failed`, as `EngineStop.Next` says, once the engine is gone and its
    ///     failure, if it was one, is explained
    ///   - `failed` or `leaving` when the kernel cannot end it
    case stopping(EngineStop)

    /// A failure that trying again can mend.
    /// Can transition to:
    ///   - `preparing` when the delay is over or a newer generation arrives
    ///   - `leaving`
    case backoff(Assignment, FailureReport)

    /// A failure that trying again cannot mend.
    /// Can transition to:
    ///   - `preparing` when a newer generation arrives
    ///   - `leaving`
    case failed(Assignment, FailureReport)

    /// No engine; the last events are on their way.
    /// Can transition to:
    ///   - `finished` when they are delivered or the wait is over
    case leaving

    /// The end. Nothing is handled any more.
    case finished
}

/// One execution of the engine.
package struct EngineRun: Equatable, Sendable {
    package enum Stage: Equatable, Sendable {
        /// No line of the engine's log yet.
        case starting
        case loading
        /// Our engine answered `/health`; the model has not answered yet.
        case verifying(attempt: Int)
        case serving
    }

    package var assignment: Assignment
    package var stage: Stage
    package var pid: Int32?
    /// How long it goes on by itself after SIGTERM; nil where nobody knows.
    package var drains: Duration?
    /// Probes that may still follow each other closely, once the engine says it is about to accept connections.
    package var quickProbes = 0
    /// Probes in a row that a serving engine left without an answer.
    package var missedProbes = 0
    /// A process of the engine that ended although nobody asked; the main process may follow with a better reason.
    package var lostProcess: EngineProcess?
    /// From the exec on.
    package var movement: MovementWatch?
    /// The engine reads the model's configuration out of the store, and its log is silent about that.
    package var isFetchingConfiguration = false
    /// What its connections have brought so far, where that can be seen.
    package var receivedBytes: UInt64?

    package init(_ assignment: Assignment) {
        self.assignment = assignment
        stage = .starting
    }
}

/// An engine on its way out: why it failed, if it did, and what comes after it.
package struct EngineStop: Equatable, Sendable {
    package enum Verdict: Equatable, Sendable {
        /// It was asked to end.
        case none
        /// It failed, and its log is being read to the end. What the agent itself saw stands in where that is silent.
        case owed(seen: String?)
        case given(FailureReport)
    }

    package enum Next: Equatable, Sendable {
        /// The agent ends. `isRevoked` where the control plane wants it, `isAsked` where an operator does.
        case leave(isRevoked: Bool, isAsked: Bool)
        /// Its successor, which may be replaced by a newer one still.
        case change
        /// Again or not at all, as the verdict's class says.
        case recover
        /// Nothing, unless the notice that ended it is taken back.
        case hold
    }

    package var assignment: Assignment
    package var verdict: Verdict
    package var next: Next
    package var exit: EngineExit?
    /// Not one process is left; only the verdict is still being waited for.
    package var isGone = false
    /// False while an engine that would end its requests too early is not asked to end yet.
    package var isAsked = true
    /// What is still in flight has had its time.
    package var isDrainOver = false

    package init(_ assignment: Assignment, verdict: Verdict, next: Next) {
        self.assignment = assignment
        self.verdict = verdict
        self.next = next
    }

    /// Requests in flight can still be answered.
    package var isOrderly: Bool { verdict == .none }
}
