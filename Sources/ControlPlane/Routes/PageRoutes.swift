internal import AgentWire
internal import HTTPTypes
internal import Hummingbird

/// Nodes for people: rendered here, without scripts, and read-only.
struct PageRoutes: Sendable {
    let store: NodeStore
    let fleet: Fleet

    func add<Context>(to pages: RouterGroup<Context>) {
        pages.get("/") { request, _ in try await list(request) }
        pages.get("nodes/:id") { _, context in try await show(context.parameters.require("id")) }
        pages.get("style.css") { _, _ in Self.answer(Stylesheet.text, type: "text/css; charset=utf-8") }
    }

    private func list(_ request: Request) async throws -> Response {
        let after = QueryReader(request).text("after")
        let records = try await store.records(after: after, limit: FleetPage.nodesPerPage)
        let views = records.map { NodeView.of($0, fleet.look(at: $0.id), withHeartbeat: true) }
        let next = records.count == FleetPage.nodesPerPage ? records.last?.id : nil
        return Self.page(FleetPage.list(views, next: next, summary: fleet.summary()))
    }

    private func show(_ id: String) async throws -> Response {
        guard let record = try await store.record(of: id) else { throw Problem.notFound("there is no node \(id)") }
        return Self.page(FleetPage.node(NodeView.of(record, fleet.look(at: id), withHeartbeat: true)))
    }

    private static func page(_ html: HTML) -> Response {
        answer(html.text, type: "text/html; charset=utf-8")
    }

    /// Nothing but our own stylesheet is ever loaded, whatever a node may have managed to put into a page.
    private static func answer(_ text: String, type: String) -> Response {
        var headers: HTTPFields = [.contentType: type, .cacheControl: "no-store", .xContentTypeOptions: "nosniff"]
        headers[.contentSecurityPolicy] =
            "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        if let name = HTTPField.Name("Referrer-Policy") { headers[name] = "no-referrer" }
        return Response(status: .ok, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }
}
