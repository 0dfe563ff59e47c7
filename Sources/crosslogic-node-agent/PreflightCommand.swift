internal import AgentCore
internal import AgentRuntime
internal import AgentWire
internal import ArgumentParser

struct PreflightCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "preflight",
        abstract: "Say whether an assignment can work here, without starting anything.",
        discussion: """
            Looks into the object store (credentials, bucket, model, every shard and its size) and at this machine. \
            The same is done before every start; CROSSLOGIC_PREFLIGHT=on|warn|off decides what it may do there.

            Exit codes: 0 it can (warnings or not); 1 it cannot; 75 it cannot now, and may later; 65 the assignment is \
            not valid; 69 there is no assignment; 78 a setting is missing or bad.
            """)

    @OptionGroup var question: AssignmentQuestion

    func run() async throws {
        try await question.answer { _, outcome, _ in
            let report = outcome.report
            if question.json {
                print(String(decoding: SnapshotCodec.preflight(report).rendered(pretty: true), as: UTF8.self))
            } else {
                for line in Self.lines(report) { print(line) }
            }
            guard let failure = report.failure else { return }
            throw failure.failure.retryPolicy == .retry ? AgentExit.tryAgain : ExitCode(1)
        }
    }

    static func lines(_ report: PreflightReport) -> [String] {
        var lines: [String] = []
        for finding in report.findings {
            let level = finding.level == .ok ? "ok" : finding.level.rawValue.uppercased()
            lines.append(Table.padded(level, 7) + Table.padded(finding.check.rawValue, 15) + finding.message)
            if finding.level > .ok, !finding.remedy.isEmpty { lines.append(Table.padded("", 22) + finding.remedy) }
        }
        let reason = report.failure.map { ": \($0.failure.rawValue) (\($0.failure.retryPolicy.rawValue))" } ?? ""
        return lines + ["\(report.verdict.rawValue) after \(Table.seconds(report.seconds)) s\(reason)"]
    }
}
