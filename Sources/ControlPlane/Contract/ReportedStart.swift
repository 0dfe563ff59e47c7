internal import AgentWire

/// What a `ready` event says about the start that it ends; what startup times are counted from.
package struct ReportedStart: Equatable, Sendable {
    package var model: String
    /// nil where the engine did not say.
    package var vllmVersion: String?
    /// Seconds from the assignment to READY.
    package var seconds: Double
    /// Seconds by phase; one that was interrupted counts all its parts.
    package var phases: [String: Double]

    private static let maximumPhases = 64

    /// nil where it does not say how long the start took, as that of an engine which was taken over.
    init?(_ data: JSONValue?) {
        guard let data, let model = data["model"]?.stringValue,
            let seconds = data["timings"]?["assignment_to_ready_s"]?.numberValue, seconds >= 0
        else { return nil }
        self.model = model
        self.seconds = seconds
        vllmVersion = data["engine"]?["vllm_version"]?.stringValue
        phases = [:]
        for span in data["phases"]?.arrayValue?.prefix(Self.maximumPhases) ?? [] {
            guard let name = span["name"]?.stringValue, let took = span["seconds"]?.numberValue, took >= 0 else {
                continue
            }
            phases[name, default: 0] += took
        }
        phases["unattributed"] = data["unattributed_s"]?.numberValue
    }
}
