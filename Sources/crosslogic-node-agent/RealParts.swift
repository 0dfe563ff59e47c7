internal import AgentCore
internal import AgentRuntime
internal import AgentSystem

/// The real outside world, plugged together once.
struct RealParts {
    let ports: AgentPorts
    private let http: CurlHTTPClient
    private let urgent: CurlHTTPClient
    private let fetcher: CurlObjectFetcher
    private let service: NotifySocket

    init(settings: AgentSettings, log: any AgentLog) {
        let clocks = LinuxClocks()
        var curl = CurlSettings(
            userAgent: "crosslogic-node-agent/\(AgentVersion.text)",
            certificateAuthorityFile: settings.certificateAuthorityFile)
        http = CurlHTTPClient(settings: curl, clocks: clocks)
        fetcher = CurlObjectFetcher(settings: curl, clocks: clocks)
        curl.maximumIdleConnections = 2
        urgent = CurlHTTPClient(settings: curl, clocks: clocks)
        let units = settings.engineHost == .systemd ? SystemdEngineHost(clocks: clocks) : nil
        service = NotifySocket(door: units.map { _ in SystemdEngineHost.standardPath })
        var ports = AgentPorts(
            engineHost: units
                ?? ChildEngineHost(
                    record: "\(settings.runtimeFolder)/engine.json", sockets: settings.engineSockets, clocks: clocks),
            engineLog: InotifyLogSource(), http: http, files: LinuxFileStore(), fetcher: fetcher,
            models: LinuxModelStorage(), serviceManager: service,
            portInspector: units ?? ProcPortInspector(), trafficMeter: units ?? SocketTrafficMeter(), clocks: clocks,
            random: LinuxRandom(), signer: OpenSSLMessageSigner(), log: log,
            gpuMeter: units.map { _ in UnitGPUMeter() }, shutdownMonitor: LogindMonitor(), urgent: urgent)
        let caches = "\(settings.stateFolder)/caches"
        ports.cacheCarrier =
            units == nil
            ? LocalCacheCarrier(
                root: "\(settings.cacheFolder)/vllm", folder: caches, reference: "\(settings.runtimeFolder)/engine.argv"
            )
            : UnitCacheCarrier(stateFolder: settings.stateFolder)
        // Only as a unit of its own: asking which pages are resident holds up every thread that maps memory meanwhile.
        ports.readAhead = units.map { _ in UnitReadAheadRecorder() }
        self.ports = ports
    }

    func close() async {
        await http.close()
        await urgent.close()
        await fetcher.close()
        service.drain()
    }
}
