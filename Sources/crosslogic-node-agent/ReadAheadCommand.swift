internal import AgentCore
internal import AgentSystem
internal import AgentWire
internal import ArgumentParser
internal import Glibc

struct ReadAheadCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "read-ahead",
        abstract: "Read the engine's program files into memory before a start asks for them.",
        discussion: """
            `--record` writes down what of them is in memory now, which after a start is what a start needs, in the \
            order in which it needs them. Run by the owner of those files: the kernel tells nobody else. Without it, \
            what was written down is read.

            Exit codes: 0 done, or nothing written down yet; 1 it could not be recorded.
            """)

    @Option(help: "Where it is written down.")
    var plan = "/var/cache/crosslogic-read-ahead/plan"

    @Option(help: "The engine's program.")
    var engine = "/opt/crosslogic/engine/bin/vllm"

    @Flag(help: "Write down instead of reading.")
    var record = false

    @Option(help: "Threads that read.")
    var threads = 16

    @Option(help: "Megabytes of memory that must stay available.")
    var spare = 2048

    func run() throws {
        if record {
            do {
                let recorded = try ReadAheadRecording.record(engine: engine, to: plan, use: firstUse)
                Self.tell(recorded, verb: "recorded")
            } catch {
                Complaint.say(error.message)
                throw ExitCode(1)
            }
            return
        }
        guard let bytes = try LinuxFileStore().read(plan, limit: ReadAheadPlan.maximumTextBytes) else {
            Complaint.say("nothing is written down in \(plan) yet")
            return
        }
        let wanted = ReadAheadPlan(text: bytes)
        let outcome = ReadAhead.run(wanted, threads: max(1, min(threads, 64)), spare: UInt64(max(0, spare)) << 20)
        Self.tell(wanted, verb: "read \(outcome.bytes >> 20) MB of")
        if outcome.memoryWasShort {
            Complaint.say("stopped early: less than \(spare) MB of memory would stay available")
        }
    }

    /// As the last start has imported modules. Without a record of that the largest files are read first.
    private var firstUse: FirstUse {
        let folder = WorkingSet.environment(of: engine) ?? ""
        let read = try? LinuxFileStore().read(
            "\(folder)/\(ImportedModules.fileName)", limit: ImportedModules.maximumBytes)
        return FirstUse(modules: (read ?? nil).map(ImportedModules.names) ?? [])
    }

    private static func tell(_ plan: ReadAheadPlan, verb: String) {
        Complaint.say("\(verb) \(plan.bytes >> 20) MB in \(plan.files.count) files")
    }
}
