internal import AgentCore
internal import AgentTestKit

@testable internal import AgentRuntime

extension AgentPorts {
    /// Stand-ins at every port.
    static func standIns(
        http: any HTTPClient, files: any FileStore = InMemoryFileStore(), random: any RandomSource = CountingRandom(),
        models: InMemoryModels = InMemoryModels(), log: any OperatorLog = CollectingLog(),
        host: StandInEngineHost = StandInEngineHost()
    ) -> AgentPorts {
        AgentPorts(
            engineHost: host, engineLog: SilentEngineLog(), http: http, files: files,
            fetcher: models, models: models, serviceManager: RecordingServiceManager(),
            portInspector: StandInPortInspector(),
            trafficMeter: BlindTrafficMeter(), clocks: SteppingClocks(), random: random, signer: FixedSigner(), log: log
        )
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

extension Outbox {
    static func sample(files: any FileStore = InMemoryFileStore(), log: any OperatorLog = CollectingLog()) -> Outbox {
        Outbox(
            folder: "/state/outbox", files: files,
            controlPlane: EventTarget(url: "http://control.test/events", bearer: Secret("token")), log: log)
    }

    func addSample(_ id: String, _ kind: ReportKind = .phase) {
        let draft = Draft(kind: kind, id: id) { [UInt8](OutboxEvent.sampleBody(id, sequence: $0).utf8) }
        add([draft], handover: nil)
    }
}

extension OutboxEvent {
    static func sampleBody(_ id: String, sequence: UInt64) -> String {
        #"{"id":"\#(id)","sequence":"\#(sequence)","type":"io.crosslogic.node.phase.v1"}"#
    }
}
