internal import ArgumentParser

@main
struct NodeAgent: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "crosslogic-node-agent",
        abstract: "Starts a model on this GPU node, tells the truth about it, and leaves nothing behind.",
        discussion: """
            `run` is what systemd starts. `status` and `timeline` ask a running agent over loopback. `explain` reads \
            any log of vLLM.

            Exit codes: 0 done as asked; 1 unexpected; 64 usage; 69 the agent (or its place) is not available; \
            78 a setting is missing or bad.
            """,
        version: AgentVersion.text,
        subcommands: [
            RunCommand.self, StatusCommand.self, TimelineCommand.self, ExplainCommand.self, PreflightCommand.self,
            PlanCommand.self, ReadAheadCommand.self, ExecEngineCommand.self, CachesCommand.self,
        ])
}

enum AgentVersion {
    static let text = "0.1.0"
}

/// sysexits(3), so that a unit file can tell a mistake from bad luck.
enum AgentExit {
    static let badAssignment = ExitCode(65)
    static let unavailable = ExitCode(69)
    /// What was asked for does not work now, and may later.
    static let tryAgain = ExitCode(75)
    /// The engine goes on and so shall the agent: systemd starts it again (EX_TEMPFAIL).
    static let restart = ExitCode(75)
    static let badSettings = ExitCode(78)
}
