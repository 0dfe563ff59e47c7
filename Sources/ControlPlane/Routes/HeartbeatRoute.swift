internal import AgentWire
internal import Hummingbird

/// Takes the snapshot that a node pushes, and says when the next one is due. Nothing of it reaches the disk.
struct HeartbeatRoute: Sendable {
    /// Of answers to polls: how often the node is to push, in seconds. Without it, it is not to.
    static let intervalHeader = "CrossLogic-Heartbeat-Interval"

    let fleet: Fleet
    let authentication: NodeAuthentication

    func add<Context>(to node: RouterGroup<Context>) {
        node.put("heartbeat") { request, context in try await receive(request, context) }
    }

    private func receive(_ request: Request, _ context: some RequestContext) async throws -> Response {
        let node = try await authentication.node(of: request, context)
        guard request.mediaType == "application/json" else {
            throw Problem.unsupportedMediaType("send application/json")
        }
        let bytes = try await request.bytes(atMost: NodeHeartbeat.maximumBytes)
        let heartbeat: NodeHeartbeat
        do {
            heartbeat = try NodeHeartbeat(bytes, of: node.id)
        } catch {
            throw Problem.refused(error)
        }
        return .json(Self.answer(fleet.take(heartbeat, from: node.id)))
    }

    static func answer(_ seconds: Int) -> JSONValue {
        .object(["next_in_s": .integer(Int64(seconds))])
    }
}

extension Problem {
    static func refused(_ fault: HeartbeatFault) -> Problem {
        switch fault {
        case .syntax(let error): .badRequest(error.reason)
        case .document(let document): .invalid(document)
        }
    }
}
