internal import AgentCore
internal import AgentWire
internal import ArgumentParser
internal import Glibc

struct ExplainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "explain",
        abstract: "Say what a log of vLLM shows: how the start went, where its time went, why it failed.",
        discussion: """
            LOGFILE is any log of vLLM, of whatever origin; - reads standard input. Of several starts in one log the \
            last is explained. Nothing is sent anywhere.

            Times are those a recorder put before each line (seconds, and o or e for the stream), else those of a \
            container runtime or the journal, else the engine's own.

            Exit codes: 0 ready, or stopped because asked to; 1 failed; 2 usage, or the file cannot be read; \
            3 the log ends before the start does, or it is no log of vLLM.
            """)

    @Flag(help: "Print the explanation as JSON.")
    var json = false

    // Taken as it comes, so that every mistake ends with 2 as documented, not with the parser's 64.
    @Argument(parsing: .allUnrecognized, help: ArgumentHelp("The log, or - for standard input.", valueName: "logfile"))
    var operands: [String] = []

    func run() throws {
        let path = try operand()
        let explanation: StartExplanation
        do throws(LogUnreadable) {
            explanation = try LogFile.explain(path)
        } catch {
            Complaint.say(error.message)
            throw ExplainExit.unreadable
        }
        if json {
            print(String(decoding: ExplanationCodec.document(explanation).rendered(pretty: true), as: UTF8.self))
        } else {
            for line in ExplainText.lines(explanation) { print(line) }
        }
        if let code = ExplainExit.code(explanation.outcome) { throw code }
    }

    private func operand() throws -> String {
        if let option = operands.first(where: { $0.hasPrefix("-") && $0 != "-" }) {
            Complaint.say("explain: unknown option \(option); see crosslogic-node-agent explain --help")
            throw ExplainExit.unreadable
        }
        guard operands.count == 1, let path = operands.first, !path.isEmpty else {
            Complaint.say("explain: name one log file, or - for standard input")
            throw ExplainExit.unreadable
        }
        return path
    }
}

enum ExplainExit {
    static let failed = ExitCode(1)
    static let unreadable = ExitCode(2)
    static let unfinished = ExitCode(3)

    /// nil for success.
    static func code(_ outcome: StartExplanation.Outcome) -> ExitCode? {
        switch outcome {
        case .ready, .stopped: nil
        case .failed: failed
        case .unfinished: unfinished
        }
    }
}
