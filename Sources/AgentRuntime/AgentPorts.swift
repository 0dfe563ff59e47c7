package import AgentCore

/// The outside world as the agent sees it; the composition root plugs in the real parts.
package struct AgentPorts: Sendable {
    package var engineHost: any EngineHost
    package var engineLog: any EngineLogSource
    package var http: any HTTPClient
    /// For what cannot wait for a connection, or for other transfers.
    package var urgent: any HTTPClient
    package var files: any FileStore
    package var fetcher: any ObjectFetcher
    package var models: any ModelStorage
    package var serviceManager: any ServiceManager
    package var portInspector: any PortInspector
    package var trafficMeter: any TrafficMeter
    package var clocks: any Clocks
    package var random: any RandomSource
    package var signer: any MessageSigner
    package var log: any OperatorLog
    /// nil where nobody can look at GPUs.
    package var gpuMeter: (any GPUMeter)?
    /// nil where nobody announces a shutdown.
    package var shutdownMonitor: (any ShutdownMonitor)?
    /// nil where caches are not carried.
    package var cacheCarrier: (any CacheCarrier)?
    /// nil where nothing is remembered for the next boot.
    package var readAhead: (any ReadAheadRecorder)?

    package init(
        engineHost: any EngineHost, engineLog: any EngineLogSource, http: any HTTPClient,
        files: any FileStore, fetcher: any ObjectFetcher, models: any ModelStorage, serviceManager: any ServiceManager,
        portInspector: any PortInspector,
        trafficMeter: any TrafficMeter, clocks: any Clocks, random: any RandomSource, signer: any MessageSigner,
        log: any OperatorLog, gpuMeter: (any GPUMeter)? = nil, shutdownMonitor: (any ShutdownMonitor)? = nil,
        urgent: (any HTTPClient)? = nil
    ) {
        self.engineHost = engineHost
        self.engineLog = engineLog
        self.http = http
        self.urgent = urgent ?? http
        self.files = files
        self.fetcher = fetcher
        self.models = models
        self.serviceManager = serviceManager
        self.portInspector = portInspector
        self.trafficMeter = trafficMeter
        self.clocks = clocks
        self.random = random
        self.signer = signer
        self.log = log
        self.gpuMeter = gpuMeter
        self.shutdownMonitor = shutdownMonitor
    }
}
