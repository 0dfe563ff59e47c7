internal import AgentCore
internal import ArgumentParser
internal import NIOCore
internal import NIOPosix

/// A fleet without machines, for `scripts/bench fleet`. Not shipped.
///
/// Every node is the agent's own lifecycle and speaks its protocol with the agent's own codecs, over connections of its
/// own. It simulates: no engine runs, no disk is written, and what an engine would say comes from a script.
@main
struct FleetSimulator: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "fleet-simulator",
        abstract: "Simulates nodes against a control plane on loopback; a line of figures a second.")

    @Option(help: "Port of the control plane on 127.0.0.1.")
    var port: Int

    @Option(help: "Nodes: sim-00000000 and on, which the control plane must know.")
    var nodes = 100

    @Option(help: "Seconds over which they come up.")
    var ramp = 5.0

    @Option(help: "Engines that die, a second.")
    var crashes = 0.0

    @Option(help: "Machines that are taken away, a second.")
    var preemptions = 0.0

    @Flag(help: "Nodes come up with engines that serve already: no start, and few events.")
    var adopted = false

    @Option(help: "Seconds over which polls that were cut off come back; the agent's value unless given.")
    var firstPause: Double?

    mutating func run() async throws {
        var settings = SimulatedFleet.Settings(address: try SocketAddress(ipAddress: "127.0.0.1", port: port))
        (settings.nodes, settings.ramp) = (nodes, ramp)
        (settings.crashes, settings.preemptions) = (crashes, preemptions)
        settings.isAdopted = adopted
        if let firstPause { settings.pollPace = PollPace(spread: .seconds(firstPause)) }
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let loop = group.next()
        let fixed = settings
        // Ends with SIGTERM: whoever started it has the figures by then.
        let never = loop.makePromise(of: Void.self)
        try await loop.submit { SimulatedFleet(fixed, on: loop).start() }.get()
        try await never.futureResult.get()
    }
}
