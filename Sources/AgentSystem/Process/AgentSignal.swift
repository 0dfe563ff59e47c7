internal import Glibc

/// A signal that means something to the agent.
package enum AgentSignal: CaseIterable, Sendable {
    case terminate
    case interrupt
    case reload
    /// SIGUSR2: the agent ends and comes back, the engine stays.
    case restart

    var number: Int32 {
        switch self {
        case .terminate: SIGTERM
        case .interrupt: SIGINT
        case .reload: SIGHUP
        case .restart: SIGUSR2
        }
    }
}
