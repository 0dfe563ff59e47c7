internal import ArgumentParser

@main
struct ControlPlaneCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "crosslogic-control-plane",
        abstract: "Reference control plane for CrossLogic nodes: development, tests and small fleets.",
        subcommands: [Serve.self],
        defaultSubcommand: Serve.self)
}
