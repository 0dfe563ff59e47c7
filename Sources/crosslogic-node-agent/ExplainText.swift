internal import AgentCore

/// An explanation for a terminal.
enum ExplainText {
    static func lines(_ explanation: StartExplanation) -> [String] {
        var lines = [headline(explanation)]
        lines += failure(explanation.failure)
        lines += section(phases(explanation))
        lines += section(load(explanation.load))
        lines += section(checks(explanation.crossChecks))
        lines += list("What was slow, and what would make it faster:", explanation.advice)
        lines += list("Notes:", explanation.notes)
        return lines
    }

    private static func headline(_ explanation: StartExplanation) -> String {
        let engine = explanation.version.map { "vLLM \($0)" } ?? "vLLM of unknown version"
        let total = explanation.hasTimes ? " after \(Table.seconds(explanation.account.total)) s" : ""
        switch explanation.outcome {
        case .ready: return "\(engine): ready\(total)"
        case .stopped:
            let isReady = explanation.account.current == nil && !explanation.account.spans.isEmpty
            return isReady ? "\(engine): ready\(total), later stopped as asked" : "\(engine): stopped as asked\(total)"
        case .failed:
            let place = explanation.account.current.map { " in \($0.rawValue)" }
            return "\(engine): failed\(place.map { $0 + total } ?? " after it was ready")"
        case .unfinished:
            if explanation.account.spans.isEmpty { return "not the log of a start of vLLM" }
            let place = explanation.account.current.map { ", in \($0.rawValue)" } ?? ""
            return "\(engine): not finished\(total)\(place)"
        }
    }

    private static func failure(_ report: FailureReport?) -> [String] {
        guard let report else { return [] }
        let process = report.process.map { " (\($0))" } ?? ""
        return [
            "", "  class     \(report.failure.rawValue): \(report.failure.summary)",
            "  cause     \(report.message)\(process)", "  remedy    \(report.failure.remedy)",
            "  retry     \(report.failure.retryPolicy.rawValue)",
        ] + report.evidence.filter { $0 != report.message }.map { "  evidence  \($0)" }
    }

    private static func phases(_ explanation: StartExplanation) -> [String] {
        let account = explanation.account
        guard !account.spans.isEmpty else { return [] }
        guard explanation.hasTimes else {
            return ["phases, in order:"] + account.spans.map { "  " + $0.phase.rawValue + tail($0) }
        }
        let table = SpanTable(total: account.total, origin: account.begin?.seconds ?? 0)
        var lines = [SpanTable.header]
        for span in account.spans {
            lines.append(
                table.row(span.phase.rawValue, begins: span.start.seconds, seconds: span.seconds, words(span)))
        }
        lines.append(table.row("unattributed", begins: nil, seconds: account.unattributed, ""))
        lines.append(table.row("total", begins: nil, seconds: account.total, ""))
        return lines
    }

    private static func words(_ span: PhaseSpan) -> String {
        let start = span.startSource.rawValue
        let sources = span.endSource.map { $0 == span.startSource ? start : "\(start) to \($0.rawValue)" }
        return Table.padded(sources ?? "\(start), did not end", 20) + (span.detail ?? "")
    }

    private static func tail(_ span: PhaseSpan) -> String {
        (span.endSource == nil ? " (did not end)" : "") + (span.detail.map { ": \($0)" } ?? "")
    }

    private static func load(_ load: LoadSummary?) -> [String] {
        guard let load else { return [] }
        var words = [load.loader ?? "loader unknown"]
        if let bytes = load.bytes { words.append(Quantity.bytes(bytes)) }
        if let seconds = load.seconds { words.append("\(Quantity.short(seconds)) s") }
        if let rate = load.bytesPerSecond { words.append("\(Quantity.bytes(rate))/s") }
        if let gib = load.gib { words.append("\(Quantity.short(gib)) GiB of GPU memory") }
        if let concurrency = load.concurrency { words.append("concurrency \(concurrency)") }
        if let limit = load.memoryLimit {
            words.append("memory limit \(limit < 0 ? "none" : Quantity.bytes(Double(limit)))")
        }
        return ["weights: " + words.joined(separator: ", ")]
    }

    private static func checks(_ checks: [CrossCheck]) -> [String] {
        guard !checks.isEmpty else { return [] }
        return ["what the log states, and what its times say:"]
            + checks.map {
                "  " + Table.padded($0.what, 30) + Table.leading("\(Table.seconds($0.stated)) s", 12)
                    + Table.leading("\(Table.seconds($0.measured)) s", 12)
                    + Table.leading("\($0.difference < 0 ? "" : "+")\(Table.seconds($0.difference)) s", 12)
            }
    }

    private static func list(_ title: String, _ sentences: [String]) -> [String] {
        sentences.isEmpty ? [] : ["", title] + sentences.map { "  - \($0)" }
    }

    private static func section(_ lines: [String]) -> [String] { lines.isEmpty ? [] : [""] + lines }
}

/// Rows of spans with their share of the whole.
struct SpanTable {
    /// In seconds.
    var total: Double
    /// Seconds from which `begins` is counted.
    var origin: Double

    private static let barWidth = 20

    static var header: String {
        Table.padded("phase", 20) + Table.leading("begins", 12) + Table.leading("takes", 12)
            + Table.leading("share", 9) + "  " + Table.padded("", barWidth + 1) + "source"
    }

    func row(_ name: String, begins: Double?, seconds: Double, _ words: String) -> String {
        let share = total > 0 ? seconds / total : 0
        let tenths = Int((share * 1000).rounded())
        let filled = max(0, min(Self.barWidth, Int((share * Double(Self.barWidth)).rounded())))
        let bar = name == "total" ? "" : String(repeating: "#", count: filled)
        let line =
            Table.padded(name, 20) + Table.leading(begins.map { "\(Table.seconds($0 - origin)) s" } ?? "", 12)
            + Table.leading("\(Table.seconds(seconds)) s", 12)
            + Table.leading("\(tenths / 10).\(tenths % 10) %", 9) + "  "
            + Table.padded(bar, Self.barWidth + 1) + words
        return String(line.reversed().drop { $0 == " " }.reversed())
    }
}
