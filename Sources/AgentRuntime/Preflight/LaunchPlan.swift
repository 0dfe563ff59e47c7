package import AgentCore

/// What a start of this assignment would execute, and why each value is what it is. Nothing is started or written.
package struct LaunchPlan: Sendable {
    package var outcome: PreflightOutcome
    package var arguments: [String]
    package var environment: [EnvironmentVariable]

    package init(_ assignment: Assignment, _ outcome: PreflightOutcome, settings: AgentSettings) {
        self.outcome = outcome
        var tuned = outcome.tuning.applied(to: assignment)
        if let folder = outcome.modelFolder { tuned.modelURI = folder }
        let loading = outcome.tuning.loading.value
        arguments =
            [outcome.install.executable]
            + EngineCommand.arguments(for: tuned, on: outcome.install, placement: settings.placement, loading: loading)
        environment = EngineEnvironment.variables(
            for: tuned, on: outcome.install, inherited: settings.environment, cacheFolder: settings.cacheFolder,
            loading: loading, tuned: outcome.tuning.variables)
        redaction = Redaction(assignment.secrets)
    }

    private let redaction: Redaction

    /// Names that hold a secret whoever set them: the engine inherits tokens of the node's own, too.
    private static let secretWords = ["KEY", "SECRET", "TOKEN", "PASSWORD", "CREDENTIAL"]

    /// For people to read. Proxies can carry a password in their address.
    package func shown(_ variable: EnvironmentVariable) -> String {
        let name = variable.name.uppercased()
        let isSecret = Self.secretWords.contains { name.contains($0) } || variable.value.reveal().contains("@")
        return isSecret ? "<redacted>" : redaction.text(variable.value.reveal())
    }

    /// `(name, value, reason)` of everything that was fitted.
    package var choices: [(name: String, value: String, reason: String)] {
        let tuning = outcome.tuning
        let format = tuning.loading.value.format
        var choices = [("load_format", format.rawValue, tuning.loading.reason)]
        if format == .files, outcome.modelFolder != nil {
            choices.append(("connections", String(tuning.connections.value), tuning.connections.reason))
        }
        if format == .streamer {
            choices.append(("distributed", String(tuning.loading.value.isDistributed), tuning.loading.reason))
        }
        if format != .files {
            choices += [
                ("concurrency", String(tuning.concurrency.value), tuning.concurrency.reason),
                ("memory_limit", String(tuning.memoryLimit.value), tuning.memoryLimit.reason),
                ("chunk_bytes", String(tuning.chunkBytes.value), tuning.chunkBytes.reason),
                ("request_timeout_ms", String(tuning.requestTimeout.value), tuning.requestTimeout.reason),
                (
                    "connections_per_client", tuning.connectionCap.value.map(String.init) ?? "default",
                    tuning.connectionCap.reason
                ),
            ]
        }
        if let expected = tuning.expected {
            let seconds = "\(Int(expected.value.lowerBound))-\(Int(expected.value.upperBound))"
            choices.append(("expected_seconds", seconds, expected.reason))
        }
        return choices.map { (name: $0.0, value: $0.1, reason: $0.2) }
    }
}
