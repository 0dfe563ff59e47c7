internal import AgentCore

/// Prometheus text exposition of a snapshot.
enum MetricsText {
    private static let states = [
        "waiting", "preparing", "starting", "loading", "verifying", "serving", "draining", "failed", "stopped",
    ]

    static func render(_ node: NodeSnapshot, pendingEvents: Int) -> String {
        var text = ""
        func metric(_ name: String, _ help: String, _ type: String, _ samples: [(labels: String, value: String)]) {
            guard !samples.isEmpty else { return }
            text += "# HELP \(name) \(help)\n# TYPE \(name) \(type)\n"
            for sample in samples { text += "\(name)\(sample.labels) \(sample.value)\n" }
        }
        metric(
            "crosslogic_node_state", "1 for the state the node is in.", "gauge",
            states.map { ("{state=\"\($0)\"}", $0 == node.state ? "1" : "0") })
        metric("crosslogic_node_ready", "1 while the model serves.", "gauge", [("", node.isServing ? "1" : "0")])
        metric(
            "crosslogic_start_seconds", "Intervals of the last start.", "gauge",
            intervals(node.timings).map { ("{interval=\"\($0.name)\"}", String($0.seconds)) })
        metric(
            "crosslogic_weights_loaded_ratio", "Share of the weights that is loaded.", "gauge",
            (node.progress?.fraction).map { [("", String($0))] } ?? [])
        metric(
            "crosslogic_weights_received_bytes", "Bytes received since the weights began.", "gauge",
            (node.progress?.bytes).map { [("", String($0))] } ?? [])
        metric(
            "crosslogic_ready_expected_seconds", "Until the model serves, as earlier starts have it.", "gauge",
            node.estimate.map { [("", String($0.seconds))] } ?? [])
        metric(
            "crosslogic_engine_restarts_total", "Engines started again after a failure.", "counter",
            node.engine.map { [("", String($0.restarts))] } ?? [])
        metric(
            "crosslogic_failure", "1 for the class of the last failure.", "gauge",
            node.failure.map { [("{class=\"\($0.failure.rawValue)\"}", "1")] } ?? [])
        metric(
            "crosslogic_outbox_pending", "Events the control plane has not taken yet.", "gauge",
            [("", String(pendingEvents))])
        metric(
            "crosslogic_control_plane_reachable", "1 while the control plane answers.", "gauge",
            [("", node.controlPlaneError == nil ? "1" : "0")])
        return text
    }

    private static func intervals(_ timings: Timings) -> [(name: String, seconds: Double)] {
        [
            ("assignment_to_exec", timings.assignmentToExec), ("exec_to_health", timings.execToHealth),
            ("canary", timings.canary), ("health_to_ready", timings.healthToReady),
            ("exec_to_ready", timings.execToReady), ("assignment_to_ready", timings.assignmentToReady),
        ].compactMap { name, seconds in seconds.map { (name, $0) } }
    }
}
