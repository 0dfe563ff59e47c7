internal import AgentCore
internal import AgentRuntime
internal import AgentWire
internal import ArgumentParser

struct PlanCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "plan",
        abstract: "Print what a start would execute, and why each value is what it is.",
        discussion: """
            Environment (secrets masked), arguments, and the streamer's settings with their reasons. Values that the \
            assignment or the node gives are kept; the others are fitted to link, machine and model.

            Exit codes: 0 printed; 65 the assignment is not valid; 69 there is no assignment; 78 a setting is missing \
            or bad.
            """)

    @OptionGroup var question: AssignmentQuestion

    func run() async throws {
        try await question.answer { assignment, outcome, settings in
            let plan = LaunchPlan(assignment, outcome, settings: settings)
            if question.json {
                print(String(decoding: Self.document(plan).rendered(pretty: true), as: UTF8.self))
            } else {
                for line in Self.lines(plan) { print(line) }
            }
        }
    }

    private static func document(_ plan: LaunchPlan) -> JSONValue {
        let environment = plan.environment.map { ($0.name, JSONValue.string(plan.shown($0))) }
        let table = { (rows: [(name: String, value: String, reason: String)]) -> JSONValue in
            let fields = rows.map { row in
                (row.name, JSONValue.object(["value": .string(row.value), "reason": .string(row.reason)]))
            }
            return .object(Dictionary(fields) { $1 })
        }
        return .object([
            "argv": .array(plan.arguments.map(JSONValue.string)),
            "environment": .object(Dictionary(environment) { $1 }),
            "streamer": table(plan.choices),
            "savings": table(plan.savings),
            "preflight": SnapshotCodec.preflight(plan.outcome.report),
        ])
    }

    /// For a shell.
    private static func quoted(_ argument: String) -> String {
        let isPlain = argument.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "-_./:=,@%+".contains($0)) }
        if isPlain && !argument.isEmpty { return argument }
        return "'" + argument.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
    }

    private static func lines(_ plan: LaunchPlan) -> [String] {
        var lines = ["# environment"]
        lines += plan.environment.map { "\($0.name)=\(plan.shown($0))" }
        lines += ["", "# command", plan.arguments.map(quoted).joined(separator: " "), "", "# streamer"]
        lines += plan.choices.map { Table.padded($0.name, 20) + Table.padded($0.value, 14) + $0.reason }
        lines += ["", "# savings"]
        lines += plan.savings.map { Table.padded($0.name, 20) + Table.padded($0.value, 14) + $0.reason }
        return lines + ["", "# preflight"] + PreflightCommand.lines(plan.outcome.report)
    }
}
