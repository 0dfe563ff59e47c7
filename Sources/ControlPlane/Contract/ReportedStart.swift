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
    /// Nothing of a start is shorter or longer: a node that says so would spoil what the others have told.
    private static let possible = 0...(7 * 86_400.0)

    /// nil where it does not say how long the start took, as that of an engine which was taken over.
    init?(_ data: JSONValue?) {
        guard let data, let model = data["model"]?.stringValue,
            let seconds = Self.seconds(data["timings"]?["assignment_to_ready_s"])
        else { return nil }
        self.model = model
        self.seconds = seconds
        vllmVersion = data["engine"]?["vllm_version"]?.stringValue
        phases = [:]
        for span in data["phases"]?.arrayValue?.prefix(Self.maximumPhases) ?? [] {
            guard let name = span["name"]?.stringValue, Word.isWord(name.utf8),
                let took = Self.seconds(span["seconds"])
            else { continue }
            phases[name, default: 0] += took
        }
        phases["unattributed"] = Self.seconds(data["unattributed_s"])
    }

    private static func seconds(_ value: JSONValue?) -> Double? {
        value?.numberValue.flatMap { possible.contains($0) ? $0 : nil }
    }
}
