internal import AgentWire

/// The pages for people. They say what the API says, and nothing that it does not.
enum FleetPage {
    static let nodesPerPage = 100

    static func list(_ views: [JSONValue], next: String?, summary: Fleet.Summary) -> HTML {
        let rows = views.map { NodeCard($0).row }
        let body: HTML =
            rows.isEmpty
            ? "<p>No nodes yet. <code>POST /api/v1/nodes</code> makes one.</p>"
            : """
            <div class="scroll"><table><thead><tr><th scope="col">node</th><th scope="col">state</th>
            <th scope="col">phase</th><th scope="col">model</th><th scope="col">heard</th><th scope="col">start</th>
            <th scope="col">last start, by phase</th></tr></thead><tbody>\(rows)</tbody></table></div>
            """
        let more: HTML = next.map { "<p><a href=\"/?after=\($0)\">more nodes</a></p>" } ?? ""
        return document(title: "Nodes", "<h1>Nodes</h1>\(brake(summary))\(counts(summary))\(body)\(more)\(legend)")
    }

    static func node(_ view: JSONValue) -> HTML {
        let card = NodeCard(view)
        let bars: HTML = card.bars.map { bars in
            "<h2>Last start: \(StartBars.text(bars.total))</h2>\(bars.waterfall)\(legend)"
        } ?? "<p>No start yet.</p>"
        let failure: HTML = card.failure.map { failure in
            "<section class=\"failure\"><h2>\(failure.name)</h2><p>\(failure.message)</p><p>\(failure.remedy)</p></section>"
        } ?? ""
        let gaps: HTML = card.gaps == 0 ? "" : "<p>\(card.gaps) gap(s) in the sequence of its events.</p>"
        return document(
            title: card.id,
            """
            <p><a href="/">all nodes</a></p><h1>\(card.id)</h1>
            <p>\(card.badge) \(card.progress)</p>
            <dl><dt>model</dt><dd>\(card.model)</dd><dt>place</dt><dd>\(card.place)</dd>
            <dt>heard</dt><dd>\(card.heard)</dd></dl>\(gaps)\(failure)\(bars)
            """)
    }

    private static func counts(_ summary: Fleet.Summary) -> HTML {
        let parts: [HTML] = FleetLiveness.Status.allCases.compactMap { status in
            guard let count = summary.counts[status], count > 0 else { return nil }
            return "<li>\(count) \(status.rawValue)</li>"
        }
        return parts.isEmpty ? "" : "<ul class=\"counts\">\(parts)</ul>"
    }

    private static func brake(_ summary: Fleet.Summary) -> HTML {
        guard let seconds = summary.brakedFor else { return "" }
        return """
            <p class="failure" role="alert">Many nodes fell silent together \(Int(seconds)) s ago. None is declared lost:
            look at this server's network first.</p>
            """
    }

    private static let legend: HTML = """
        <p class="legend"><span class="key network"></span> network <span class="key compute"></span> processors
        <span class="key other"></span> other</p>
        """

    private static func document(title: String, _ body: HTML) -> HTML {
        """
        <!DOCTYPE html>
        <html lang="en"><head><meta charset="utf-8"><title>\(title) – CrossLogic</title>
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <link rel="stylesheet" href="/style.css"></head><body><main>\(body)</main></body></html>
        """
    }
}
