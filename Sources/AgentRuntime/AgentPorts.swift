package import AgentCore

/// The outside world as the agent sees it; the composition root plugs in the real parts.
package struct AgentPorts: Sendable {
    package var engineHost: any EngineHost
    package var engineLog: any EngineLogSource
    package var http: any HTTPClient
    /// For what cannot wait for a connection, or for other transfers.
    package var urgent: any HTTPClient
    package var files: any FileStore
    package var serviceManager: any ServiceManager
    package var portInspector: any PortInspector
    package var trafficMeter: any TrafficMeter
    package var clocks: any Clocks
    package var random: any RandomSource
    package var signer: any MessageSigner
    package var log: any OperatorLog
    /// nil where nobody announces a shutdown.
    package var shutdownMonitor: (any ShutdownMonitor)?

    package init(
        engineHost: any EngineHost, engineLog: any EngineLogSource, http: any HTTPClient, files: any FileStore,
        serviceManager: any ServiceManager, portInspector: any PortInspector,
        trafficMeter: any TrafficMeter, clocks: any Clocks, random: any RandomSource, signer: any MessageSigner,
        log: any OperatorLog,
        shutdownMonitor: (any ShutdownMonitor)? = nil, urgent: (any HTTPClient)? = nil
    ) {
        self.engineHost = engineHost
        self.engineLog = engineLog
        self.http = http
        self.urgent = urgent ?? http
        self.files = files
        self.serviceManager = serviceManager
        self.portInspector = portInspector
        self.trafficMeter = trafficMeter
        self.clocks = clocks
        self.random = random
        self.signer = signer
        self.log = log
        self.shutdownMonitor = shutdownMonitor
    }
}
