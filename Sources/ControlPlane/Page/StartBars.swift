internal import AgentWire

/// Where the time of a start went, as bars.
struct StartBars: Sendable {
    struct Bar: Equatable, Sendable {
        var name: String
        /// Seconds since the first bar began.
        var start: Double
        var seconds: Double
        var detail: String?
        /// It goes on.
        var isOpen: Bool
    }

    private static let maximumBars = 64
    /// Units of the drawing's width; the drawing is as wide as its place.
    private static let width = 1000.0

    let bars: [Bar]

    /// - Parameter phases: as in an event; nil where there is nothing to be shown.
    init?(_ phases: JSONValue?) {
        let spans = phases?.arrayValue?.prefix(Self.maximumBars) ?? []
        let origin = spans.compactMap { $0["start_s"]?.numberValue }.min() ?? 0
        bars = spans.compactMap { span in
            guard let name = span["name"]?.stringValue, let start = span["start_s"]?.numberValue,
                let end = span["end_s"]?.numberValue, end >= start
            else { return nil }
            return Bar(
                name: name, start: start - origin, seconds: end - start, detail: span["detail"]?.stringValue,
                isOpen: span["end_source"] == .null)
        }
        if bars.isEmpty { return nil }
    }

    var total: Double {
        bars.map { $0.start + $0.seconds }.max() ?? 0
    }

    /// One line for a list.
    var strip: HTML {
        let rectangles = bars.map { bar in
            "<rect class=\"\(Self.tone(bar.name))\" \(place(bar))><title>\(bar.name) \(Self.text(bar.seconds))</title></rect>"
                as HTML
        }
        let label = "start of \(Self.text(total))"
        return """
            <svg class="strip" role="img" aria-label="\(label)" viewBox="0 0 1000 10" preserveAspectRatio="none">\
            \(rectangles)</svg>
            """
    }

    /// One row for each phase: a table, so that it can be read without seeing it.
    var waterfall: HTML {
        let rows = bars.map { bar in
            """
            <tr><th scope="row">\(bar.name)</th><td class="number">\(Self.text(bar.start))</td>
            <td class="number">\(Self.text(bar.seconds))\(bar.isOpen ? " …" : "")</td>
            <td class="drawing"><svg aria-hidden="true" viewBox="0 0 1000 10" preserveAspectRatio="none">\
            <rect class="\(Self.tone(bar.name))" \(place(bar))/></svg></td>
            <td class="detail">\(bar.detail ?? "")</td></tr>
            """ as HTML
        }
        return """
            <div class="scroll"><table class="waterfall"><thead><tr><th scope="col">phase</th><th scope="col">begins</th>
            <th scope="col">takes</th><th scope="col"><span class="hidden">drawn to scale</span></th>
            <th scope="col">what is known</th></tr></thead><tbody>\(rows)</tbody></table></div>
            """
    }

    private func place(_ bar: Bar) -> HTML {
        let scale = total > 0 ? Self.width / total : 0
        // What took no time that can be drawn is a hairline.
        let (left, length) = (Int(bar.start * scale), max(2, Int(bar.seconds * scale)))
        return "x=\"\(min(left, 998))\" y=\"0\" width=\"\(length)\" height=\"10\""
    }

    /// Three tones: what the network does, what the processors do, everything else.
    private static func tone(_ name: String) -> String {
        switch name {
        case "weights_stream", "engine_config", "preflight_done": "network"
        case "compile", "graph_capture", "kv_profile", "model_init": "compute"
        default: "other"
        }
    }

    static func text(_ seconds: Double) -> String {
        if seconds >= 100 { return "\(Int(seconds.rounded())) s" }
        let tenths = Int((seconds * 10).rounded())
        return "\(tenths / 10).\(tenths % 10) s"
    }
}
