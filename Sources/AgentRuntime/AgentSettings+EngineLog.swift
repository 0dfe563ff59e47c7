package import AgentCore

extension AgentSettings {
    /// As `StandardOutput=` of `crosslogic-engine.service` has it.
    private static let unitLog = "/var/log/crosslogic/vllm.log"
    /// For people, a link to that. The units have a /tmp of their own, where it is not.
    static let standardLog = "/tmp/vllm.log"

    /// Who runs the engine decides where its log can be. Returns what is wrong with a path that the agent cannot see.
    package mutating func choose(engineHost host: EngineHostChoice) -> FieldFault? {
        engineHost = host
        guard host == .systemd else { return nil }
        if engineLog == Self.standardLog { engineLog = Self.unitLog }
        guard engineLog.hasPrefix("/tmp/") || engineLog.hasPrefix("/var/tmp/") else { return nil }
        return FieldFault(
            field: "CROSSLOGIC_ENGINE_LOG",
            problem: "is \(engineLog), and the units have a /tmp of their own; leave it out (\(Self.unitLog)), or name "
                + "a file elsewhere, there and in StandardOutput= of the engine's units")
    }
}
