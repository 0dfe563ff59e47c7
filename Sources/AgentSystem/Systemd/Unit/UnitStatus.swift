internal import AgentCore
internal import CLinux

/// How the engine's unit is, from the `Name=value` lines of the door.
struct UnitStatus: Equatable, Sendable {
    var activeState: String
    /// nil where no main process runs.
    var mainPID: Int32?
    /// Tells one execution of the unit from the next; kept when it has ended.
    var invocation: String
    /// Below /sys/fs/cgroup.
    var controlGroup: String
    /// When the main process of the last execution was started.
    var startedAt: BootInstant
    /// Such as `success`, `exit-code`, `oom-kill`, `assert`.
    var result: String
    /// Of the main process; nil while it runs, and where systemd knows of none.
    var exit: EngineExit?

    init(_ lines: [String], suspended: Int64 = clinux_suspended()) {
        var fields: [Substring: Substring] = [:]
        for line in lines {
            guard let equals = line.firstIndex(of: "=") else { continue }
            fields[line[..<equals]] = line[line.index(after: equals)...]
        }
        func text(_ name: Substring) -> String { fields[name].map(String.init) ?? "" }
        activeState = text("ActiveState")
        mainPID = Int32(text("MainPID")).flatMap { $0 > 0 ? $0 : nil }
        invocation = text("InvocationID")
        controlGroup = text("ControlGroup")
        // systemd writes microseconds of CLOCK_MONOTONIC.
        let microseconds = Int64(text("ExecMainStartTimestampMonotonic")) ?? 0
        startedAt = BootInstant(nanoseconds: microseconds * 1000 + suspended)
        result = text("Result")
        exit = Int32(text("ExecMainCode")).flatMap { code in
            Int32(text("ExecMainStatus")).flatMap { EngineExit(childCode: code, status: $0) }
        }
    }

    /// Something of it is there, or about to be or to go.
    var isThere: Bool { ["active", "activating", "deactivating", "reloading"].contains(activeState) }
}
