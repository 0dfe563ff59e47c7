internal import AgentWire
internal import HTTPTypes
internal import Hummingbird

/// The operator announces the end of a machine, or takes it back.
struct EndRoute: Sendable {
    let store: NodeStore
    let watchers: AssignmentWatchers

    func add<Context>(to nodes: RouterGroup<Context>) {
        nodes.put(":id/end") { request, context in
            let end = try AnnouncedEnd(try await request.json())
            try await say(end, of: context.parameters.require("id"))
            return Response.json(end.document)
        }
        nodes.delete(":id/end") { _, context in
            try await say(nil, of: context.parameters.require("id"))
            return Response(status: .noContent)
        }
    }

    private func say(_ end: AnnouncedEnd?, of id: String) async throws {
        guard try await store.announceEnd(end, of: id) else { throw Problem.notFound("there is no node \(id)") }
        watchers.notify(id)
    }
}
