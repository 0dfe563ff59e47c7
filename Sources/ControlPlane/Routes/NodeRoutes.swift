internal import AgentCore
internal import AgentWire
internal import HTTPTypes
internal import Hummingbird

/// The operator's side: create, look at, change and revoke nodes.
struct NodeRoutes: Sendable {
    let store: NodeStore
    let fleet: Fleet
    let watchers: AssignmentWatchers
    /// Where models live unless a request says otherwise.
    let bucket: String?

    func add<Context>(to nodes: RouterGroup<Context>) {
        nodes.post { request, _ in try await create(request) }
        nodes.get { request, _ in try await list(request) }
        nodes.get(":id") { _, context in try await show(context.parameters.require("id")) }
        nodes.put(":id") { request, context in try await replace(context.parameters.require("id"), request) }
        nodes.delete(":id") { _, context in try await revoke(context.parameters.require("id")) }
        nodes.get(":id/events") { request, context in
            try await events(context.parameters.require("id"), request)
        }
    }

    private func create(_ request: Request) async throws -> Response {
        let wanted = try NodeRequest(try await request.json(), bucket: bucket)
        let id = RandomName.nodeID()
        let token = RandomName.nodeToken()
        try await store.create(id, token: TokenDigest(of: token), request: wanted)
        var created = Self.summary(id, generation: 1)
        created["token"] = .string(token.reveal())
        return .json(.object(created), status: .created, headers: [.location: Self.path(of: id)])
    }

    /// `next` is there when more follow; give it back as `after`.
    private func list(_ request: Request) async throws -> Response {
        var query = QueryReader(request)
        let maximum = NodeStore.maximumPage
        let limit = Int(query.integer("limit", in: 1...Int64(maximum), default: Int64(maximum)))
        let after = query.text("after")
        try query.finish()
        let records = try await store.records(after: after, limit: limit)
        var page: [String: JSONValue] = ["nodes": .array(records.map { NodeView.of($0, fleet.look(at: $0.id)) })]
        if records.count == limit, let last = records.last { page["next"] = .string(last.id) }
        return .json(.object(page))
    }

    private func show(_ id: String) async throws -> Response {
        guard let record = try await store.record(of: id) else { throw Self.unknown(id) }
        return .json(NodeView.of(record, fleet.look(at: id), withHeartbeat: true))
    }

    private func replace(_ id: String, _ request: Request) async throws -> Response {
        let wanted = try NodeRequest(try await request.json(), bucket: bucket)
        switch try await store.replaceAssignment(of: id, with: wanted) {
        case .unknown:
            throw Self.unknown(id)
        case .revoked:
            throw Problem.conflict("node \(id) was revoked, which is for good; create a new one")
        case .done(let generation):
            watchers.notify(id)
            return .json(.object(Self.summary(id, generation: generation)))
        }
    }

    private func revoke(_ id: String) async throws -> Response {
        guard try await store.revoke(id) else { throw Self.unknown(id) }
        fleet.remove(id)
        watchers.notify(id)
        return Response(status: .noContent)
    }

    private func events(_ id: String, _ request: Request) async throws -> Response {
        var query = QueryReader(request)
        let after = query.integer("after", in: 0...Int64.max, default: 0)
        let limit = query.integer("limit", in: 1...Int64(NodeStore.maximumPage), default: 100)
        let incarnation = query.integer("incarnation", in: 0...Int64.max, default: 0)
        try query.finish()
        guard let record = try await store.record(of: id) else { throw Self.unknown(id) }
        let events = try await store.events(
            of: id, incarnation: incarnation > 0 ? incarnation : record.incarnation, after: after, limit: Int(limit))
        // As they were sent: nothing is parsed on the way out.
        return .json(text: "{\"events\":[\(events.joined(separator: ","))]}")
    }

    private static func summary(_ id: String, generation: Int64) -> [String: JSONValue] {
        [
            "id": .string(id),
            "generation": .integer(generation),
            "assignment_url": .string(path(of: id) + "/assignment"),
        ]
    }

    private static func path(of id: String) -> String {
        "/api/v1/nodes/\(id)"
    }

    private static func unknown(_ id: String) -> Problem {
        .notFound("there is no node \(id)")
    }
}
