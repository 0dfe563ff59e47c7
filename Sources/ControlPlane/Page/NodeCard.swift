internal import AgentWire

/// What the page says about one node, from its view: what the node pushed, or an event that came after it.
struct NodeCard: Sendable {
    let id: String
    let model: String
    let place: String
    let state: String
    let phase: String?
    let fraction: Double?
    let liveness: String
    /// Seconds since the node was last heard.
    let silence: Double?
    let lastStart: Double?
    let bars: StartBars?
    let failure: (name: String, message: String, remedy: String)?
    let isRevoked: Bool
    let gaps: Int

    init(_ view: JSONValue) {
        let pushed = view["heartbeat"]
        let beat = pushed?["is_overtaken"]?.boolValue == true ? nil : pushed
        let snapshot = beat?["document"]
        id = view["id"]?.stringValue ?? ""
        model = view["model"]?.stringValue ?? ""
        place = ["gpu", "provider", "region"].compactMap { view[$0]?.stringValue }.joined(separator: " · ")
        state = beat?["state"]?.stringValue ?? view["state"]?.stringValue ?? "not heard yet"
        phase = (beat?["phase"] ?? view["phase"])?.stringValue
        fraction = beat?["fraction"]?.numberValue
        liveness = view["liveness"]?["status"]?.stringValue ?? "unknown"
        silence = view["liveness"]?["silent_s"]?.numberValue
        lastStart = view["startup_s"]?.numberValue
        bars = StartBars(snapshot?["phases"]) ?? StartBars(view["phases"])
        let report = [snapshot?["failure"], view["failure"]].compactMap { $0 }.first { $0 != .null }
        failure = report.flatMap { report in
            guard let name = report["class"]?.stringValue else { return nil }
            return (name, report["message"]?.stringValue ?? "", report["remedy"]?.stringValue ?? "")
        }
        isRevoked = view["revoked"]?.boolValue ?? false
        gaps = view["sequence_gaps"]?.arrayValue?.count ?? 0
    }

    var badge: HTML {
        let name = isRevoked ? "revoked" : state
        return "<span class=\"badge \(Self.tone(of: name))\">\(name)</span>"
    }

    /// The phase, and how far it is.
    var progress: HTML {
        // Once the model serves, or no more, the last mark of its start is no news.
        guard let phase, !isRevoked, !["serving", "stopped", "failed", "draining"].contains(state) else { return "" }
        guard let fraction else { return "\(phase)" }
        let percent = Int((fraction * 100).rounded())
        return """
            \(phase) <progress max="100" value="\(percent)" aria-label="\(phase)">\(percent) %</progress> \(percent) %
            """
    }

    var heard: HTML {
        guard let silence else { return "\(liveness)" }
        return "\(liveness)<span class=\"quiet\">, \(Int(silence)) s ago</span>"
    }

    var row: HTML {
        """
        <tr><th scope="row"><a href="/nodes/\(id)">\(id)</a></th><td>\(badge)</td><td>\(progress)</td>
        <td class="model">\(model)<br><span class="quiet">\(place)</span></td><td>\(heard)</td>
        <td class="number">\(lastStart.map(StartBars.text) ?? "–")</td><td class="drawing">\(bars?.strip ?? "")</td></tr>
        """
    }

    private static func tone(of state: String) -> String {
        switch state {
        case "serving": "good"
        case "failed": "bad"
        case "draining", "stopped", "revoked": "ending"
        case "preparing", "starting", "loading", "verifying": "moving"
        default: "plain"
        }
    }
}
