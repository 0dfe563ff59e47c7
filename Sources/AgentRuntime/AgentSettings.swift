package import AgentCore
package import AgentWire

/// The node's own settings, checked. Names and defaults are those of `--help` and `/etc/crosslogic/node-agent.env`.
package struct AgentSettings: Sendable {
    package var controlPlaneURL: String
    package var nodeID: String
    package var nodeToken: Secret
    package var assignmentDefaults: AssignmentDefaults
    /// Absolute path of `vllm`; nil searches `defaultEngines` and PATH.
    package var engine: String?
    package var engineArguments: [String]
    package var engineStart: EngineStartMode
    /// Folder of the engine launcher.
    package var engineLauncher: String
    package var engineLog: String
    package var engineAddress: String
    package var enginePort: UInt16
    package var heartbeatAddress: String
    package var heartbeatPort: UInt16
    package var heartbeatToken: Secret?
    /// nil: without TLS.
    package var heartbeatCertificate: HeartbeatCertificate?
    /// Whether it is told to the control plane as well, for nodes that nobody can reach.
    package var heartbeatPush: HeartbeatPush
    var pushesHeartbeat: Bool { heartbeatPush != .off }
    package var stateFolder: String
    package var runtimeFolder: String
    package var cacheFolder: String
    /// Where models lie that are downloaded before a start; the engine's user may read it.
    package var modelFolder: String
    /// Bytes that they may take together; nil leaves it to the disk.
    package var modelCacheLimit: UInt64?
    package var drainSeconds: Int
    /// When the service manager is told READY.
    package var readiness: Readiness
    /// nil: whatever this machine has.
    package var engineHost: EngineHostChoice?
    /// A start without a sign of life for this long is ended; 0 never.
    package var stallSeconds: Int
    /// Without a word of the control plane for this long the node stops itself; nil serves on.
    package var partitionStop: Duration?
    package var preflight: PreflightMode
    /// What makes starts shorter, where the node does not leave that to the agent.
    package var savings: StartSaving.Wishes
    /// nil: they stay on this node.
    package var caches: CacheSettings?
    /// The cloud by name, where the machine's own word is not to be taken; nil finds out.
    package var cloud: String?
    /// From a preemption notice to the power button, where the machine was created with one (GCP).
    package var grantedNotice: Duration?
    /// Absolute path of a PEM bundle; nil trusts what the system trusts.
    package var certificateAuthorityFile: String?
    /// The environment the engine may inherit from.
    package var environment: [String: String]

    package enum Readiness: String, CaseIterable, Sendable {
        /// With the model's first token.
        case model
        /// As soon as the agent is in control.
        case agent
    }

    package enum HeartbeatPush: String, CaseIterable, Sendable {
        /// As the control plane wants it.
        case asked
        case on
        case off
    }

    package enum EngineHostChoice: String, CaseIterable, Sendable {
        /// A unit of systemd's, which outlives the agent.
        case systemd
        /// A child in its own session, stopped with the agent.
        case child
    }

    package static let defaultEngines = ["/opt/crosslogic/engine/bin/vllm", "/opt/vllm/bin/vllm"]

    package var placement: EnginePlacement {
        var placement = EnginePlacement(
            address: engineAddress, port: enginePort, extraArguments: engineArguments, drainSeconds: drainSeconds)
        placement.savings = savings
        return placement
    }

    /// Of an engine for this assignment, all of it.
    func engineEnvironment(
        for assignment: Assignment, on install: EngineInstall, loading: WeightLoading? = nil,
        tuned: [EnvironmentVariable] = []
    ) -> [EnvironmentVariable] {
        EngineEnvironment.variables(
            for: assignment, on: install, inherited: inherited, cacheFolder: cacheFolder, loading: loading,
            tuned: tuned, savings: savings.savings(for: assignment, on: install, node: engineArguments))
    }

    /// What an engine may inherit: the environment, and what comes of other settings where it says nothing itself.
    var inherited: [String: String] {
        guard let engineSockets else { return environment }
        return environment.merging(["VLLM_RPC_BASE_PATH": engineSockets]) { own, _ in own }
    }

    /// Where the sockets between the engine's processes belong, so that those of a killed one can be found and removed.
    /// nil where its unit's own /tmp goes with it, or where the path is too long for them.
    package var engineSockets: String? {
        let folder = "\(runtimeFolder)/rpc"
        // A path of 107 bytes (unix(7)), a UUID and what earlier releases put behind it, such as `_output_socket`.
        return engineHost == .child && folder.utf8.count <= 107 - 37 - 14 ? folder : nil
    }
}

/// Every missing or bad setting, named.
package struct SettingsFaults: Error, Equatable, Sendable {
    package var faults: [FieldFault]

    package init(faults: [FieldFault]) {
        self.faults = faults
    }
}

extension AgentSettings {
    /// `environment` is the process's with the env files beneath it; `tokenFile` the content of the token file or
    /// systemd credential, where there is one.
    package init(environment: [String: String], tokenFile: String?) throws(SettingsFaults) {
        var reader = SettingsReader(environment)
        controlPlaneURL = reader.url("CROSSLOGIC_CONTROL_PLANE_URL", required: true) ?? ""
        while controlPlaneURL.hasSuffix("/") { controlPlaneURL.removeLast() }
        nodeID = reader.nodeID("CROSSLOGIC_NODE_ID")
        nodeToken = reader.token("CROSSLOGIC_NODE_TOKEN", file: tokenFile)
        assignmentDefaults = reader.assignmentDefaults()
        engine = reader.path("CROSSLOGIC_ENGINE")
        engineArguments = reader.arguments("CROSSLOGIC_ENGINE_ARGS")
        engineStart = reader.choice("CROSSLOGIC_ENGINE_START") ?? .plain
        engineLauncher = reader.path("CROSSLOGIC_ENGINE_LAUNCHER") ?? EngineLauncher.standardFolder
        reader.checkpoint(EngineLauncher.checkpointVariable)
        engineLog = reader.path("CROSSLOGIC_ENGINE_LOG") ?? Self.standardLog
        engineAddress = reader.address("CROSSLOGIC_ENGINE_ADDRESS") ?? "0.0.0.0"
        enginePort = UInt16(reader.integer("CROSSLOGIC_ENGINE_PORT", in: 1...65535) ?? 8000)
        (heartbeatAddress, heartbeatPort) = reader.listenAddress(
            "CROSSLOGIC_HEARTBEAT_LISTEN", default: ("127.0.0.1", 9400))
        heartbeatToken = reader.text("CROSSLOGIC_HEARTBEAT_TOKEN").map(Secret.init)
        if heartbeatToken == nil, !Self.isLoopback(heartbeatAddress) {
            reader.fault("CROSSLOGIC_HEARTBEAT_TOKEN", "is required to listen beyond loopback")
        }
        heartbeatCertificate = reader.heartbeatCertificate()
        heartbeatPush = reader.choice("CROSSLOGIC_HEARTBEAT_PUSH") ?? .asked
        // systemd names the folders it prepared.
        stateFolder = reader.path("CROSSLOGIC_STATE_DIR") ?? environment["STATE_DIRECTORY"] ?? "/var/lib/crosslogic"
        runtimeFolder = reader.path("CROSSLOGIC_RUNTIME_DIR") ?? environment["RUNTIME_DIRECTORY"] ?? "/run/crosslogic"
        // CACHE_DIRECTORY is the agent's own; this one is the engine's, whose unit is another.
        cacheFolder = reader.path("CROSSLOGIC_CACHE_DIR") ?? "/var/cache/crosslogic"
        modelFolder = reader.path("CROSSLOGIC_MODEL_DIR") ?? environment["CACHE_DIRECTORY"] ?? "\(cacheFolder)/models"
        modelCacheLimit = reader.integer("CROSSLOGIC_MODEL_CACHE_LIMIT", in: 1...(1 << 50)).map { UInt64($0) }
        drainSeconds = Int(reader.integer("CROSSLOGIC_DRAIN_TIMEOUT", in: 0...3600) ?? 30)
        engineHost = reader.choice("CROSSLOGIC_ENGINE_HOST")
        readiness = reader.choice("CROSSLOGIC_NOTIFY_READY") ?? .model
        stallSeconds = Int(reader.integer("CROSSLOGIC_STALL_AFTER", in: 0...3600) ?? 60)
        partitionStop = reader.integer("CROSSLOGIC_PARTITION_STOP_AFTER", in: 0...604_800)
            .flatMap { $0 > 0 ? .seconds($0) : nil }
        preflight = reader.choice("CROSSLOGIC_PREFLIGHT") ?? .on
        caches = reader.caches()
        savings = reader.savings()
        cloud = reader.cloud("CROSSLOGIC_CLOUD")
        grantedNotice = reader.integer("CROSSLOGIC_PREEMPTION_NOTICE", in: 0...3600).map { .seconds($0) }
        certificateAuthorityFile = reader.path("CROSSLOGIC_CA_FILE")
        self.environment = environment
        guard reader.faults.isEmpty else { throw SettingsFaults(faults: reader.faults) }
    }

    package static func isLoopback(_ address: String) -> Bool {
        address.hasPrefix("127.") || address == "::1"
    }
}
