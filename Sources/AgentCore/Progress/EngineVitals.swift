/// Signs of life of an engine that do not depend on what its log says, counted at one moment.
package struct EngineVitals: Equatable, Sendable {
    /// User plus system time of each of its processes, by pid, in clock ticks (100 a second).
    package var cpuTicks: [Int32: UInt64]
    /// Bytes its processes read from disks, faults on mapped files included.
    package var diskBytes: UInt64
    /// Bytes of its log read so far, understood or not.
    package var logBytes: UInt64
    /// nil where the kernel does not let us see the engine's sockets.
    package var traffic: EngineTraffic?
    /// Used on all GPUs, when they were last looked at; nil where nobody can.
    package var gpuBytes: UInt64?

    package init(
        cpuTicks: [Int32: UInt64], diskBytes: UInt64, logBytes: UInt64, traffic: EngineTraffic? = nil,
        gpuBytes: UInt64? = nil
    ) {
        self.gpuBytes = gpuBytes
        self.cpuTicks = cpuTicks
        self.diskBytes = diskBytes
        self.logBytes = logBytes
        self.traffic = traffic
    }
}

/// What the engine's connections to the outside have brought. Those between its own processes, and those that others
/// opened to its port, do not count.
package struct EngineTraffic: Equatable, Sendable {
    /// Bytes received since the engine was executed, TLS and HTTP included. Never falls.
    package var receivedBytes: UInt64
    /// Connections that are open now.
    package var connections: Int

    package init(receivedBytes: UInt64, connections: Int) {
        self.receivedBytes = receivedBytes
        self.connections = connections
    }
}
