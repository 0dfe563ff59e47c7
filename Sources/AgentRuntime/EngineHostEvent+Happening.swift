internal import AgentCore

extension EngineHostEvent {
    /// The host's stamp is nearer to what happened than the run loop's. nil for what only the verdict needs.
    var asHappening: Inbox.Happening? {
        switch self {
        case .ranOutOfMemory: nil
        case .startFailed(let failure, let at): Inbox.Happening(event: .engineStartFailed(failure), at: at)
        case .started(let pid, let at): Inbox.Happening(event: .engineStarted(pid: pid), at: at)
        case .processEnded(let process, let at): Inbox.Happening(event: .engineProcessEnded(process), at: at)
        case .exited(let exit, let at): Inbox.Happening(event: .engineExited(exit), at: at)
        case .gone(let at): Inbox.Happening(event: .engineGone, at: at)
        }
    }
}
