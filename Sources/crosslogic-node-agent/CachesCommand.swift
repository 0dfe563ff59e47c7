internal import AgentCore
internal import AgentSystem
internal import ArgumentParser

/// What crosslogic-caches@.service executes, as the engine's user.
struct CachesCommand: ParsableCommand {
    enum Step: String, ExpressibleByArgument {
        case pack
        case unpack
        case clean
    }

    static let configuration = CommandConfiguration(
        commandName: "caches", abstract: "Pack or unpack the engine's caches.", shouldDisplay: false)

    @Argument var step: Step
    @Option(help: "VLLM_CACHE_ROOT.")
    var root: String
    @Option(help: "Where the packed ones go.")
    var outgoing: String
    @Option(help: "Where those to be unpacked are.")
    var incoming: String
    @Option(help: "A file as old as the engine's execution.")
    var since: String

    func run() throws {
        do {
            switch step {
            case .pack: try CachePacking.pack(root: root, into: outgoing, since: since)
            case .unpack: try CachePacking.unpack(from: incoming, root: root)
            case .clean: try CachePacking.clean(outgoing)
            }
        } catch {
            Complaint.say(error.message)
            throw ExitCode(1)
        }
    }
}
