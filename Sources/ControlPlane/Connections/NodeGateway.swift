internal import AgentCore
internal import AgentWire

/// What the calls of nodes come to, without waiting for anything: what takes time calls back. One object, because every
/// connection holds it.
final class NodeGateway: Sendable {
    enum News: Equatable {
        case none(etag: String)
        case assignment
        case revoked
        /// There is no such node any more, which cannot be.
        case unknown
    }

    let store: NodeStore
    let fleet: Fleet
    let watchers: AssignmentWatchers
    let credentials: ObjectStore?

    init(store: NodeStore, fleet: Fleet, watchers: AssignmentWatchers, credentials: ObjectStore?) {
        self.store = store
        self.fleet = fleet
        self.watchers = watchers
        self.credentials = credentials
    }

    /// A revoked node is left to the server that knows all the errors. What a path takes is no secret.
    func isAllowed(_ call: NodeCall) -> Bool {
        guard let entry = store.directory[call.node] else { return false }
        if call.kind == .options { return true }
        guard let token = call.token, !entry.isRevoked else { return false }
        return entry.token == TokenDigest(of: token)
    }

    func news(of node: String, known: String?) -> News {
        guard let entry = store.directory[node] else { return .unknown }
        if entry.isRevoked { return .revoked }
        fleet.heard(node)
        guard EntityTag.isListed(entry.tag, in: known) else { return .assignment }
        return .none(etag: entry.tag)
    }

    func assignment(of node: String, _ done: @escaping @Sendable (NodeCallReply) -> Void) {
        let credentials = credentials
        store.assignment(of: node) { result in
            switch result {
            case .success(let assignment?) where !assignment.isRevoked:
                done(
                    .document(
                        AssignmentDocument.of(assignment, store: credentials),
                        etag: EntityTag.of(assignment)))
            case .success(.some): done(.problem(.revoked(node)))
            case .success(nil): done(.problem(.notFound("node \(node) has no assignment")))
            case .failure: done(.problem(.unavailable("the database cannot be used")))
            }
        }
    }

    /// nil where the heartbeat is to be refused.
    func heartbeat(of node: String, _ body: [UInt8]) -> NodeCallReply? {
        guard body.count <= NodeHeartbeat.maximumBytes, let heartbeat = try? NodeHeartbeat(body, of: node) else {
            return nil
        }
        return .document(HeartbeatRoute.answer(fleet.take(heartbeat, from: node)))
    }

    /// False where the events are to be refused, all or the one; then `done` is not called. It gets nil where they
    /// cannot be kept.
    func events(
        of node: String, _ body: [UInt8], isBatch: Bool, _ done: @escaping @Sendable (NodeCallReply?) -> Void
    ) -> Bool {
        isBatch ? batch(of: node, body, done) : single(of: node, body, done)
    }

    private func batch(
        of node: String, _ body: [UInt8], _ done: @escaping @Sendable (NodeCallReply?) -> Void
    ) -> Bool {
        guard let elements = try? JSONReader.elements(body), let batch = try? EventBatch(elements, of: node) else {
            return false
        }
        let events = batch.events
        keep(events, of: node) { outcomes in done(outcomes.map { .document(batch.results($0)) }) }
        return true
    }

    private func single(
        of node: String, _ body: [UInt8], _ done: @escaping @Sendable (NodeCallReply?) -> Void
    ) -> Bool {
        guard let document = try? JSONReader.parse(body),
            let event = try? ReportedEvent(document, text: String(decoding: body, as: UTF8.self), of: node)
        else { return false }
        keep([event], of: node) { outcomes in
            guard let outcomes else { return done(nil) }
            var reply = NodeCallReply.document(EventRoute.counts(outcomes))
            reply.status = "202 Accepted"
            done(reply)
        }
        return true
    }

    private func keep(
        _ events: [ReportedEvent], of node: String, _ done: @escaping @Sendable ([EventOutcome]?) -> Void
    ) {
        let fleet = fleet
        guard !events.isEmpty else { return done([]) }
        store.append(events, to: node) { result in
            let stored = try? result.get()
            fleet.heard(node, state: stored?.state(events))
            done(stored?.outcomes)
        }
    }
}

extension Problem {
    static func revoked(_ node: String) -> Problem {
        .gone("node \(node) was revoked; stop for good")
    }
}
