internal import AgentCore
internal import Glibc

/// How the main process of the engine's unit ended, in PID 1's own words.
struct MainExit: Equatable, Sendable {
    var pid: Int32
    var exit: EngineExit
    /// systemd's word, such as `signal`.
    var result: String
    /// Of what PID 1 runs for the unit itself, such as `record-exit`; it is in the unit's cgroup then.
    var controlPID: Int32?

    /// PID 1 keeps the first failure. What begins as a success may still become one, and what the record says of memory
    /// belongs to the news of an `oom-kill`.
    var isFinal: Bool { !["success", "oom-kill"].contains(result) }
}

extension EngineExit {
    /// nil while the process runs. `code` is one of `CLD_…` of waitid(2).
    init?(childCode code: Int32, status: Int32) {
        switch code {
        case Int32(CLD_EXITED): self = .exited(code: status)
        case Int32(CLD_KILLED): self = .signalled(signal: status, coreDumped: false)
        case Int32(CLD_DUMPED): self = .signalled(signal: status, coreDumped: true)
        default: return nil
        }
    }
}
