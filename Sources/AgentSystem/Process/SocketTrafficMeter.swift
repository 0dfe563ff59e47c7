package import AgentCore
internal import Glibc
internal import Locking

/// Reads the byte counters of the engine's TCP connections from the kernel.
package final class SocketTrafficMeter: TrafficMeter {
    private let count = Mutex(TrafficCount())

    package init() {}

    package func traffic(of pids: [Int32], servingPort: UInt16) -> EngineTraffic? {
        guard let isEngines = Self.membership(pids), let connections = TCPConnection.all() else { return nil }
        return count.withLock { $0.count(connections, servingPort: servingPort, where: isEngines) }
    }

    /// By the descriptors the processes hold. An engine that runs as a user of its own does not show them; then that
    /// user names its sockets.
    private static func membership(_ pids: [Int32]) -> ((TCPConnection) -> Bool)? {
        let held = pids.compactMap(ProcessSockets.inodes)
        if !held.isEmpty {
            let inodes = held.reduce(into: Set()) { $0.formUnion($1) }
            return { inodes.contains($0.inode) }
        }
        let users = Set(pids.compactMap(user)).subtracting([getuid()])
        return users.isEmpty ? nil : { users.contains($0.owner) }
    }

    private static func user(_ pid: Int32) -> UInt32? {
        var status = stat()
        return stat("/proc/\(pid)", &status) == 0 ? status.st_uid : nil
    }
}
