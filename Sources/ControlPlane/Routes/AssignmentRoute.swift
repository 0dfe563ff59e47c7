internal import AgentCore
internal import HTTPTypes
internal import Hummingbird

/// The node's side of an assignment: a GET that may wait for the next generation.
struct AssignmentRoute: Sendable {
    let store: NodeStore
    let fleet: Fleet
    let watchers: AssignmentWatchers
    let authentication: NodeAuthentication
    /// Handed out with every assignment.
    let credentials: ObjectStore?

    /// Seconds; proxies in between tend to give up after a minute.
    static let maximumWait: Int64 = 60

    func add<Context>(to node: RouterGroup<Context>) {
        node.get("assignment") { request, context in try await respond(request, context) }
    }

    private func respond(_ request: Request, _ context: some RequestContext) async throws -> Response {
        let node = try await authentication.node(of: request, context)
        fleet.heard(node.id)
        var query = QueryReader(request)
        let wait = query.integer("wait", in: 0...Self.maximumWait, default: 0)
        try query.finish()
        let known = request.headers[.ifNoneMatch]
        guard wait > 0 else { return try await withWish(answer(node, known: known)) }
        return try await watchers.watching(node.id) { watch in
            let now = try await answer(node, known: known)
            guard now.status == .notModified else { return withWish(now) }
            try await request.body.consumeWithCancellationOnInboundClose { _ in
                await watch.wait(atMost: .seconds(wait))
            }
            var later = try await answer(node, known: known)
            // Watching the connection for its end used up its input: Hummingbird closes it after this answer.
            later.headers[.connection] = "close"
            return withWish(later)
        }
    }

    /// With what is wanted of heartbeats.
    private func withWish(_ response: Response) -> Response {
        guard let seconds = fleet.wantedInterval, let name = HTTPField.Name(HeartbeatRoute.intervalHeader) else {
            return response
        }
        var response = response
        response.headers[name] = String(seconds)
        return response
    }

    private func answer(_ node: AuthenticatedNode, known: String?) async throws -> Response {
        if let entry = store.directory[node.id], !entry.isRevoked, EntityTag.isListed(entry.tag, in: known) {
            return Response(status: .notModified, headers: [.eTag: entry.tag])
        }
        guard let assignment = try await store.assignment(of: node.id) else {
            throw Problem.notFound("node \(node.id) has no assignment")
        }
        guard !assignment.isRevoked else { throw Problem.revoked(node.id) }
        let tag = EntityTag.of(assignment)
        guard !EntityTag.isListed(tag, in: known) else {
            return Response(status: .notModified, headers: [.eTag: tag])
        }
        return .json(AssignmentDocument.of(assignment, store: credentials), headers: [.eTag: tag])
    }
}
