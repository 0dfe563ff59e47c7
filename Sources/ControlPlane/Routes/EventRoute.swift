internal import AgentWire
internal import Hummingbird

/// Takes a node's events: one CloudEvent or a batch, any number of times, in any order.
struct EventRoute: Sendable {
    let store: NodeStore
    let authentication: NodeAuthentication

    func add<Context>(to node: RouterGroup<Context>) {
        node.post("events") { request, context in try await receive(request, context) }
    }

    /// A revoked node is heard to the end: its last events say that it stopped.
    private func receive(_ request: Request, _ context: some RequestContext) async throws -> Response {
        let node = try await authentication.node(of: request, context)
        let events: [ReportedEvent]
        switch request.mediaType {
        case "application/cloudevents+json", "application/json":
            events = [try ReportedEvent.one(try await request.json(), of: node.id)]
        case "application/cloudevents-batch+json":
            events = try ReportedEvent.batch(try await request.json(), of: node.id)
        default:
            throw Problem.unsupportedMediaType(
                "send application/cloudevents+json, application/json or application/cloudevents-batch+json")
        }
        let accepted = try await store.append(events, to: node.id)
        return .json(
            .object([
                "accepted": .integer(Int64(accepted)), "duplicates": .integer(Int64(events.count - accepted)),
            ]),
            status: .accepted)
    }
}
