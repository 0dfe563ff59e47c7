internal import AgentWire

/// What `status` says about the node's end and about who would tell of it.
enum NoticeTable {
    static func rows(_ node: JSONValue) -> [(name: String, value: String)] {
        (notice(node).map { [("notice", $0)] } ?? []) + sources(node)
    }

    private static func notice(_ node: JSONValue) -> String? {
        guard let notice = node["notice"], notice != .null, let kind = notice["kind"]?.stringValue else { return nil }
        let source = notice["source"]?.stringValue ?? "somebody"
        let left = (notice["deadline_s"]?.numberValue).map { $0 - now(node) }
        return "\(kind) by \(source)" + (left.map { ", \(Table.seconds($0)) s left" } ?? "")
    }

    private static func sources(_ node: JSONValue) -> [(name: String, value: String)] {
        (node["notice_sources"]?.arrayValue ?? []).enumerated().map { index, source in
            var line = "\(source["name"]?.stringValue ?? "") \(source["state"]?.stringValue ?? "")"
            if let since = source["since_s"]?.numberValue { line += " for \(Table.seconds(now(node) - since)) s" }
            if let last = source["last_answer_s"]?.numberValue {
                line += ", last answer \(Table.seconds(now(node) - last)) s ago"
            }
            if let reason = source["reason"]?.stringValue { line += ": \(reason)" }
            return (index == 0 ? "notices from" : "", line)
        }
    }

    private static func now(_ node: JSONValue) -> Double {
        Double(node["monotonic_ns"]?.integerValue ?? 0) / 1e9
    }
}
