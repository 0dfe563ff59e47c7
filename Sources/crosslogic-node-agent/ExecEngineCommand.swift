internal import AgentCore
internal import AgentSystem
internal import AgentWire
internal import ArgumentParser

/// What crosslogic-engine.service executes: becomes the engine, with the arguments the agent wrote.
struct ExecEngineCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "exec-engine", abstract: "Become the engine whose arguments a file holds.", shouldDisplay: false)

    /// As systemd has it for a program that could not be executed.
    private static let notExecuted = ExitCode(203)

    @Option(help: "Hand the arguments, and the environment, to the engine that waits at this socket instead.")
    var go: String?

    @Argument(help: "A JSON array of strings.")
    var file: String

    func run() throws {
        let variables = SettingsSource.processEnvironment()
        let file = go == nil ? variables[EngineLauncher.argumentsVariable] ?? file : file
        guard let bytes = try LinuxFileStore().read(file, limit: 1 << 20),
            let arguments = try JSONValue.parse(bytes).arrayValue?.compactMap(\.stringValue), !arguments.isEmpty
        else {
            Complaint.say("\(file) holds no arguments; the agent writes them before it starts the engine")
            throw Self.notExecuted
        }
        if let go {
            let own = arguments.drop { $0 != EngineLauncher.separator }.dropFirst()
            let environment = variables.map { EnvironmentVariable($0.key, $0.value) }
            guard let refusal = StandbySocket.go(go, arguments: Array(own), environment: environment) else { return }
            // Of the unit, this is the engine's log.
            Complaint.write(EngineLauncher.refusal(refusal))
            throw ExitCode.failure
        }
        if let checkpoint = EngineLauncher.uselessCheckpoint(executing: arguments, variables) {
            try? LinuxFileStore().remove(checkpoint)
        }
        Complaint.say(Program.replace(by: arguments))
        throw Self.notExecuted
    }
}
