internal import AgentCore
internal import AgentRuntime
internal import AgentSystem
internal import ArgumentParser

struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Pull the assignment, start the engine, supervise it, report.",
        discussion: """
            Required settings: CROSSLOGIC_CONTROL_PLANE_URL, CROSSLOGIC_NODE_ID, CROSSLOGIC_NODE_TOKEN (or \
            CROSSLOGIC_NODE_TOKEN_FILE, or the systemd credential node-token).

            Optional, with their defaults: CROSSLOGIC_ENGINE (searched), CROSSLOGIC_ENGINE_ARGS, \
            CROSSLOGIC_ENGINE_LOG=/tmp/vllm.log (with systemd, what the engine's unit writes), \
            CROSSLOGIC_ENGINE_ADDRESS=0.0.0.0, CROSSLOGIC_ENGINE_PORT=8000, \
            CROSSLOGIC_HEARTBEAT_LISTEN=127.0.0.1:9400, CROSSLOGIC_HEARTBEAT_TOKEN, CROSSLOGIC_HEARTBEAT_TLS_CERTIFICATE, \
            CROSSLOGIC_HEARTBEAT_TLS_KEY, CROSSLOGIC_HEARTBEAT_PUSH=asked (or on, off), \
            CROSSLOGIC_STATE_DIR=/var/lib/crosslogic, CROSSLOGIC_RUNTIME_DIR=/run/crosslogic, \
            CROSSLOGIC_CACHE_DIR=/var/cache/crosslogic, CROSSLOGIC_MODEL_DIR (CROSSLOGIC_CACHE_DIR/models, or the unit's \
            cache directory), CROSSLOGIC_MODEL_CACHE_LIMIT (bytes), CROSSLOGIC_DRAIN_TIMEOUT=30 (seconds), CROSSLOGIC_ENGINE_HOST (systemd \
            or child; whatever the machine has), CROSSLOGIC_ENGINE_START=plain (or preload, standby), \
            CROSSLOGIC_CHECKPOINT=20 (seconds; or off), CROSSLOGIC_NOTIFY_READY=model (or agent), CROSSLOGIC_PREFLIGHT=on (or \
            warn, off); for an assignment \
            that leaves them out: R2_ENDPOINT, R2_BUCKET, R2_ACCESS_KEY, R2_SECRET_KEY, R2_CDN_DOMAIN, \
            VLLM_USE_RUNAI_STREAMER, VLLM_STREAMER_CONCURRENCY, VLLM_STREAMER_MEMORY_LIMIT, VLLM_GPU_MEMORY_UTIL.

            SIGTERM or SIGINT: drain, stop the engine, deliver the last event, exit 0. A second one kills. SIGUSR2: \
            end and leave an engine that systemd runs to the next agent, exit 75.
            """)

    @OptionGroup var source: SettingsSource

    func run() async throws {
        Program.hideMemory()
        // First of all: a signal that comes before this ends the agent without a word.
        let signals = try SignalEvents.install()
        let settings: AgentSettings
        do {
            settings = try source.load()
        } catch {
            throw Self.refuse(.badSettings(error.faults))
        }
        let log = AgentLogs.standard()
        defer { log.drain() }
        let lock = try takePlace(settings)
        let heartbeat = KeptListener("heartbeat")
        let listener = heartbeat.take(host: settings.heartbeatAddress, port: settings.heartbeatPort)
        let ending = await serve(settings, signals: signals, log: log, heartbeat, listener)
        withExtendedLifetime(lock) {}
        if ending == .handedOver { throw AgentExit.restart }
    }

    private func serve(
        _ settings: AgentSettings, signals: AsyncStream<AgentSignal>, log: any AgentLog, _ heartbeat: KeptListener,
        _ listener: Int32?
    ) async -> Agent.Ending {
        let parts = RealParts(settings: settings, log: log)
        let view = NodeView()
        let routes = HeartbeatRoutes(view: view, clocks: parts.ports.clocks, token: settings.heartbeatToken)
        let tls = settings.heartbeatCertificate.map { TLSFiles(certificate: $0.certificateFile, key: $0.keyFile) }
        let server = HeartbeatServer(
            host: settings.heartbeatAddress, port: settings.heartbeatPort, tls: tls,
            complain: { log.write(.error, $0) }
        ) { request in
            let reply = routes.reply(to: request.path, authorization: request.authorization)
            return ServerReply(status: reply.status, contentType: reply.contentType, body: reply.body)
        }
        let listen: @Sendable () async -> Void = {
            do throws(HeartbeatServerFailure) {
                let port = try await server.start(on: listener, keep: heartbeat.keep)
                log.write(.info, "heartbeat on \(tls == nil ? "http" : "https")://\(settings.heartbeatAddress):\(port)")
            } catch {
                // A node that serves is worth more than a node that can be polled; the events still tell.
                log.write(.error, error.message)
                return
            }
            await server.run()
        }
        let agent = Agent(
            settings: settings, ports: parts.ports, version: AgentVersion.text, view: view,
            watchdog: Program.watchdogPeriod(settings.environment))
        let canHandOver = settings.engineHost == .systemd
        let requests = signals.compactMap { $0.request(canHandOver: canHandOver) }
        let ending = await agent.run(requests: requests, standing: [listen, Program.forgetStart])
        await parts.close()
        return ending
    }

    private func takePlace(_ settings: AgentSettings) throws -> AgentLock {
        let path = "\(settings.runtimeFolder)/agent.lock"
        do {
            try LinuxFileStore().createFolders(settings.runtimeFolder)
            return try AgentLock.acquire(path)
        } catch AgentLock.Refusal.held(let pid) {
            throw Self.refuse(.anotherAgent(pid: pid, lock: path))
        } catch AgentLock.Refusal.failed(let failure) {
            throw Self.refuse(.badRuntimeFolder(failure))
        } catch let failure as FileFailure {
            throw Self.refuse(.badRuntimeFolder(failure))
        }
    }

    /// Tells whoever started it, and returns what to exit with.
    private static func refuse(_ refusal: StartRefusal) -> ExitCode {
        if let journal = AgentLogs.journal() {
            for entry in refusal.entries { journal.write(entry) }
            journal.drain()
        } else {
            for line in refusal.lines { Complaint.say(line) }
        }
        let service = NotifySocket()
        service.notify(refusal.notification)
        service.drain()
        return switch refusal {
        case .badSettings: AgentExit.badSettings
        case .anotherAgent: AgentExit.unavailable
        }
    }
}

extension StartRefusal {
    fileprivate static func badRuntimeFolder(_ failure: FileFailure) -> StartRefusal {
        .badSettings([FieldFault(field: "CROSSLOGIC_RUNTIME_DIR", problem: failure.message)])
    }
}

extension AgentSignal {
    /// SIGHUP means something else. An engine that is our child cannot be left to anybody.
    fileprivate func request(canHandOver: Bool) -> Agent.Request? {
        switch self {
        case .terminate, .interrupt: .stop
        case .restart: canHandOver ? .restart : nil
        case .reload: nil
        }
    }
}
