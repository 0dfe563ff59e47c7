internal import AgentWire

/// Columns for a terminal.
enum Table {
    /// One line per mark: when it began, counted from the assignment, and how long until the next.
    static func timeline(_ document: JSONValue) -> [String] {
        let marks = document["timeline"]?.arrayValue ?? []
        let times = marks.map { $0["at_s"]?.numberValue ?? 0 }
        let assigned = marks.firstIndex { $0["phase"]?.stringValue == "assignment_received" }
        let origin = assigned.map { times[$0] } ?? times.first ?? 0
        var lines = [padded("phase", 22) + leading("begins", 12) + leading("takes", 12) + "  source"]
        for (index, mark) in marks.enumerated() {
            let length = index + 1 < times.count ? "\(seconds(times[index + 1] - times[index])) s" : ""
            lines.append(
                padded(mark["phase"]?.stringValue ?? "", 22) + leading("\(seconds(times[index] - origin)) s", 12)
                    + leading(length, 12) + "  " + (mark["source"]?.stringValue ?? ""))
        }
        return lines
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
