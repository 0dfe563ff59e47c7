extension FailureReport {
    package static func portInUse(_ listener: PortListener) -> FailureReport {
        let owner = listener.command.map { "\($0) (pid \(listener.pid.map(String.init) ?? "unknown"))" }
        return FailureReport(
            .portInUse, message: "the engine's port is taken by \(owner ?? "a process this user cannot see")",
            process: "agent")
    }

    /// Where the log names no cause, what the agent saw is the message and the log's words are evidence.
    func completed(by seen: String?) -> FailureReport {
        guard failure == .unknown || failure == .engineDied, let seen else { return self }
        var report = self
        report.failure = .engineDied
        report.evidence = Array((evidence + [message]).filter { !$0.isEmpty }.prefix(8))
        report.message = seen
        return report
    }
}

extension EngineProcess {
    var lossInWords: String { "\(title) (pid \(pid)) ended although nobody asked it to" }
}

extension EngineExit {
    package var words: String {
        switch self {
        case .exited(let code): "exit code \(code)"
        case .signalled(let signal, let dumped): "signal \(signal)\(dumped ? " (core dumped)" : "")"
        }
    }
}
