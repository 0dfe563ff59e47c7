internal import AgentWire
internal import Hummingbird

/// The fleet as a whole, and what starts have taken.
struct FleetRoutes: Sendable {
    let store: NodeStore
    let fleet: Fleet
    let watchers: AssignmentWatchers

    func add<Context>(to api: RouterGroup<Context>) {
        api.get("fleet") { _, _ in summary() }
        api.delete("fleet/brake") { _, _ in
            fleet.releaseBrake()
            return Response(status: .noContent)
        }
        api.get("starts") { request, _ in try await starts(request) }
    }

    private func summary() -> Response {
        let summary = fleet.summary()
        var liveness: [String: JSONValue] = [:]
        for status in FleetLiveness.Status.allCases where status != .unknown {
            liveness[status.rawValue] = .integer(Int64(summary.counts[status] ?? 0))
        }
        let events = store.eventQueue.figures
        return .json(
            .object([
                "nodes": .integer(Int64(store.directory.count)), "liveness": .object(liveness),
                "brake": summary.brakedFor.map { .object(["for_s": .number($0)]) } ?? .null,
                "heartbeat_interval_s": .integer(Int64(summary.interval)),
                "heartbeat_bytes": .integer(Int64(summary.heartbeatBytes)),
                "waiting_polls": .integer(Int64(watchers.waiting)),
                "waiting_events": .integer(Int64(events.waiting)),
                "event_commits": .integer(Int64(events.commits)),
            ]))
    }

    private func starts(_ request: Request) async throws -> Response {
        let query = QueryReader(request)
        let (model, gpu, version) = (query.text("model"), query.text("gpu"), query.text("vllm_version"))
        let node = query.text("node")
        let samples = try await store.starts(model: model, gpu: gpu, vllmVersion: version, node: node)
        return .json(.object(["starts": .array(StartStatistics.of(samples).map(\.document))]))
    }
}
