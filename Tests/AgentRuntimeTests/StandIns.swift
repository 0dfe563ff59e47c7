internal import AgentCore
internal import AgentRuntime
internal import AgentTestKit

extension AgentPorts {
    /// Stand-ins at every port.
    static func standIns(
        http: any HTTPClient, files: any FileStore = InMemoryFileStore(), random: any RandomSource = CountingRandom(),
        log: any OperatorLog = CollectingLog()
    ) -> AgentPorts {
        AgentPorts(
            engineHost: StandInEngineHost(), engineLog: SilentEngineLog(), http: http, files: files,
            serviceManager: RecordingServiceManager(), portInspector: StandInPortInspector(), clocks: SteppingClocks(),
            random: random, signer: FixedSigner(), log: log)
    }
}

extension AgentSettings {
    static func sample() throws -> AgentSettings {
        try AgentSettings(
            environment: [
                "CROSSLOGIC_CONTROL_PLANE_URL": "http://control.test", "CROSSLOGIC_NODE_ID": "node-1",
                "CROSSLOGIC_NODE_TOKEN": "token", "CROSSLOGIC_ENGINE": "/opt/vllm/bin/vllm",
            ], tokenFile: nil)
    }
}
