internal import AgentCore
internal import AgentWire
internal import HTTPTypes
internal import Hummingbird

/// Takes a node's events: one CloudEvent or a batch, any number of times, in any order.
struct EventRoute: Sendable {
    let store: NodeStore
    let fleet: Fleet
    let authentication: NodeAuthentication

    /// Of its path, the operator's share included.
    static let methods: [HTTPRequest.Method] = [.get, .post, .options]
    static let allowed = PathMethods.text(methods)

    func add<Context>(to node: RouterGroup<Context>) {
        node.on("events", method: .options) { _, context in
            try tellMethods(of: context.parameters.require("id"))
        }
        node.post("events") { request, context in try await receive(request, context) }
    }

    /// Anybody: what a path takes is no secret.
    private func tellMethods(of node: String) throws -> Response {
        guard store.directory[node] != nil else { throw Problem.notFound("there is no node \(node)") }
        return Response(status: .noContent, headers: [.allow: Self.allowed])
    }

    /// A revoked node is heard to the end: its last events say that it stopped.
    private func receive(_ request: Request, _ context: some RequestContext) async throws -> Response {
        let node = try await authentication.node(of: request, context)
        switch request.mediaType {
        case "application/cloudevents+json", "application/json":
            return try await receiveOne(request, node)
        case "application/cloudevents-batch+json":
            return try await receiveBatch(request, node)
        default:
            throw Problem.unsupportedMediaType(
                "send application/cloudevents+json, application/json or application/cloudevents-batch+json")
        }
    }

    private func receiveOne(_ request: Request, _ node: AuthenticatedNode) async throws -> Response {
        let bytes = try await request.bytes(atMost: Request.maximumBodyBytes)
        let body = try Request.parsed { () throws(JSONSyntaxError) in try JSONReader.parse(bytes) }
        let event = try ReportedEvent(body, text: String(decoding: bytes, as: UTF8.self), of: node.id)
        return .json(Self.counts(try await append([event], node)), status: .accepted)
    }

    static func counts(_ outcomes: [EventOutcome]) -> JSONValue {
        let accepted = outcomes.count { $0 == .accepted }
        return .object([
            "accepted": .integer(Int64(accepted)), "duplicates": .integer(Int64(outcomes.count - accepted)),
        ])
    }

    private func receiveBatch(_ request: Request, _ node: AuthenticatedNode) async throws -> Response {
        let bytes = try await request.bytes(atMost: EventBatch.maximumBytes)
        let elements = try Request.parsed { () throws(JSONSyntaxError) in try JSONReader.elements(bytes) }
        guard let elements else {
            throw Problem.invalid(
                InvalidDocument(faults: [.init(field: "body", problem: "must be an array of events")]))
        }
        let batch = try EventBatch(elements, of: node.id)
        return .json(batch.results(try await append(batch.events, node)))
    }

    private func append(_ events: [ReportedEvent], _ node: AuthenticatedNode) async throws -> [EventOutcome] {
        let stored = events.isEmpty ? StoredEvents(outcomes: []) : try await store.append(events, to: node.id)
        fleet.heard(node.id, state: stored.state(events))
        return stored.outcomes
    }
}
