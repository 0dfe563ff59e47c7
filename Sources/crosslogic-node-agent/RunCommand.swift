internal import AgentCore
internal import AgentRuntime
internal import AgentSystem
internal import ArgumentParser

enum EngineHostChoice: String, ExpressibleByArgument, CaseIterable {
    /// A child in its own session, stopped with the agent.
    case child
}

struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run",
        abstract: "Pull the assignment, start the engine, supervise it, report.",
        discussion: """
            Required settings: CROSSLOGIC_CONTROL_PLANE_URL, CROSSLOGIC_NODE_ID, CROSSLOGIC_NODE_TOKEN (or \
            CROSSLOGIC_NODE_TOKEN_FILE, or the systemd credential node-token).

            Optional, with their defaults: CROSSLOGIC_ENGINE (searched), CROSSLOGIC_ENGINE_ARGS, \
            CROSSLOGIC_ENGINE_LOG=/tmp/vllm.log, CROSSLOGIC_ENGINE_ADDRESS=0.0.0.0, CROSSLOGIC_ENGINE_PORT=8000, \
            CROSSLOGIC_HEARTBEAT_LISTEN=127.0.0.1:9400, CROSSLOGIC_HEARTBEAT_TOKEN, \
            CROSSLOGIC_STATE_DIR=/var/lib/crosslogic, CROSSLOGIC_RUNTIME_DIR=/run/crosslogic, \
            CROSSLOGIC_CACHE_DIR=/var/cache/crosslogic, CROSSLOGIC_DRAIN_TIMEOUT=30 (seconds), \
            CROSSLOGIC_PREFLIGHT=on (on, warn, off); for an assignment \
            that leaves them out: R2_ENDPOINT, R2_BUCKET, R2_ACCESS_KEY, R2_SECRET_KEY, R2_CDN_DOMAIN, \
            VLLM_USE_RUNAI_STREAMER, VLLM_STREAMER_CONCURRENCY, VLLM_STREAMER_MEMORY_LIMIT, VLLM_GPU_MEMORY_UTIL.

            SIGTERM or SIGINT: drain, stop the engine, deliver the last event, exit 0. A second one kills.
            """)

    @OptionGroup var source: SettingsSource

    @Option(name: .customLong("engine-host"), help: "Who runs the engine.")
    var engineHost = EngineHostChoice.child

    func run() async throws {
        // First of all: a signal that comes before this ends the agent without a word.
        let signals = try SignalEvents.install()
        let settings: AgentSettings
        do {
            settings = try source.load()
        } catch {
            Self.complain(error.faults)
            throw AgentExit.badSettings
        }
        let log = StderrLog()
        defer { log.drain() }
        let lock = try takePlace(settings)
        await serve(settings, signals: signals, log: log)
        withExtendedLifetime(lock) {}
    }

    private func serve(_ settings: AgentSettings, signals: AsyncStream<AgentSignal>, log: StderrLog) async {
        let parts = RealParts(settings: settings, log: log)
        let view = NodeView()
        let routes = HeartbeatRoutes(view: view, clocks: parts.ports.clocks, token: settings.heartbeatToken)
        let server = HeartbeatServer(host: settings.heartbeatAddress, port: settings.heartbeatPort) { request in
            let reply = routes.reply(to: request.path, authorization: request.headers["authorization"])
            return ServerReply(status: reply.status, contentType: reply.contentType, body: reply.body)
        }
        let listen: @Sendable () async -> Void = {
            do throws(HeartbeatServerFailure) {
                let port = try await server.start()
                log.write(.info, "heartbeat on http://\(settings.heartbeatAddress):\(port)")
            } catch {
                // A node that serves is worth more than a node that can be polled; the events still tell.
                log.write(.error, error.message)
                return
            }
            await server.run()
        }
        let agent = Agent(settings: settings, ports: parts.ports, version: AgentVersion.text, view: view)
        // SIGHUP and SIGUSR2 mean something else.
        let stops = signals.filter { $0 == .terminate || $0 == .interrupt }.map { _ in () }
        await agent.run(stopRequests: stops, standing: [listen])
        await parts.close()
    }

    private func takePlace(_ settings: AgentSettings) throws -> AgentLock {
        let path = "\(settings.runtimeFolder)/agent.lock"
        do {
            try LinuxFileStore().createFolders(settings.runtimeFolder)
            return try AgentLock.acquire(path)
        } catch AgentLock.Refusal.held(let pid) {
            Complaint.say("another agent runs here (pid \(pid.map(String.init) ?? "unknown"), it holds \(path))")
            throw AgentExit.unavailable
        } catch AgentLock.Refusal.failed(let failure) {
            Self.complain([FieldFault(field: "CROSSLOGIC_RUNTIME_DIR", problem: failure.message)])
            throw AgentExit.badSettings
        } catch let failure as FileFailure {
            Self.complain([FieldFault(field: "CROSSLOGIC_RUNTIME_DIR", problem: failure.message)])
            throw AgentExit.badSettings
        }
    }

    private static func complain(_ faults: [FieldFault]) {
        for fault in faults { Complaint.say(fault.description) }
        // `systemctl status` shows this line long after the journal has scrolled.
        let service = NotifySocket()
        service.notify("STATUS=bad settings: \(faults.map(\.description).joined(separator: "; "))\nERRNO=22")
        service.drain()
    }

}
