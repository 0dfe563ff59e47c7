internal import AgentCore
internal import AgentWire

/// Columns for a terminal.
enum Table {
    /// One line per phase of the start, its share of the whole, and what nothing accounts for.
    static func timeline(_ document: JSONValue) -> [String] {
        let phases = document["phases"]?.arrayValue ?? []
        let origin = phases.first?["start_s"]?.numberValue ?? 0
        let unattributed = document["unattributed_s"]?.numberValue ?? 0
        let total = phases.reduce(unattributed) { $0 + ($1["seconds"]?.numberValue ?? 0) }
        let table = SpanTable(total: total, origin: origin)
        var lines = [SpanTable.header]
        for phase in phases {
            lines.append(
                table.row(
                    phase["name"]?.stringValue ?? "", begins: phase["start_s"]?.numberValue,
                    seconds: phase["seconds"]?.numberValue ?? 0, words(phase)))
        }
        lines.append(table.row("unattributed", begins: nil, seconds: unattributed, ""))
        lines.append(table.row("total", begins: nil, seconds: total, ""))
        return lines
    }

    private static func words(_ phase: JSONValue) -> String {
        var words = [phase["source"]?.stringValue ?? ""]
        if let end = phase["end_source"]?.stringValue, end != words[0] { words = ["\(words[0]) to \(end)"] }
        let rate = phase["rate_bytes_per_s"]?.numberValue.map { "\(Quantity.bytes($0))/s" }
        let bytes = phase["bytes"]?.numberValue.map { "\(Quantity.bytes($0))" }
        let facts = [phase["detail"]?.stringValue, bytes, rate].compactMap(\.self)
        return padded(words[0], 18) + facts.joined(separator: ", ")
    }

    static func seconds(_ value: Double) -> String {
        let milliseconds = Int((abs(value) * 1000).rounded())
        let fraction = String(milliseconds % 1000)
        let sign = value < 0 && milliseconds > 0 ? "-" : ""
        return "\(sign)\(milliseconds / 1000).\(String(repeating: "0", count: 3 - fraction.count))\(fraction)"
    }

    static func padded(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(1, width - text.count))
    }

    static func leading(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.count)) + text
    }
}
