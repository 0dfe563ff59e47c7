/// Where a node is in its life.
///
/// ```
///            ┌───────────── new generation ─────────────┐
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
    ///   - `leaving`, `preparing`, `backoff` or `failed`, as `StopCause` says, once the engine is gone
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
    /// The engine says it is about to accept connections: probe at once and often.
    package var isAboutToListen: Bool
    /// A process of the engine that ended although nobody asked; the main process may follow with a better reason.
    package var lostProcess: EngineProcess?

    package init(_ assignment: Assignment) {
        self.assignment = assignment
        stage = .starting
        isAboutToListen = false
    }
}

package struct EngineStop: Equatable, Sendable {
    package var assignment: Assignment
    package var cause: StopCause
    /// What the log and the process said, once both are known.
    package var exit: EngineExit?
    /// Not one process is left; only the verdict is still being waited for.
    package var isGone = false
    /// SIGTERM has been sent this often; vLLM swallows the first one while it starts.
    package var terminations: Int

    package init(_ assignment: Assignment, cause: StopCause, terminations: Int) {
        self.assignment = assignment
        self.cause = cause
        self.terminations = terminations
    }
}

package enum StopCause: Equatable, Sendable {
    case agentStop
    case revoked
    case superseded(by: Assignment)
    /// The engine failed; the log is still being read for the reason.
    case unexplained(lost: EngineProcess?)
    case failed(FailureReport)
}
