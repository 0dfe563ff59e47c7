internal import AgentCore

/// Adds up what connections bring while they come and go. What a connection brings between its last count and its end
/// is lost: with a count a second, and connections that live for the whole load, that is little.
struct TrafficCount: Sendable {
    private var seen: [UInt64: UInt64] = [:]
    private var total: UInt64 = 0

    /// What clients send to `servingPort` is not the engine's progress.
    mutating func count(_ connections: [TCPConnection], servingPort: UInt16, where isEngines: (TCPConnection) -> Bool)
        -> EngineTraffic
    {
        let own = connections.filter { $0.localPort != servingPort && isEngines($0) }
        let localPorts = Set(own.map(\.localPort))
        // Both ends on this machine, both the engine's: its processes talk to each other.
        let outward = own.filter { !($0.isLoopback && localPorts.contains($0.remotePort)) }
        for connection in outward {
            total += connection.received - min(connection.received, seen[connection.cookie] ?? 0)
        }
        seen = Dictionary(outward.map { ($0.cookie, $0.received) }, uniquingKeysWith: max)
        return EngineTraffic(receivedBytes: total, connections: outward.count)
    }
}
