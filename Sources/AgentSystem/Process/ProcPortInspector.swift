package import AgentCore
internal import CLinux
internal import Glibc

/// Finds listeners through /proc. Owners that the kernel does not let us see are reported without a pid.
package struct ProcPortInspector: PortInspector {
    package init() {}

    package func listeners(onTCPPort port: UInt16) -> [PortListener] {
        // Microseconds, where reading /proc/net/tcp takes milliseconds: the kernel walks its whole table for it.
        if clinux_tcp_port_is_free(port) == 1 { return [] }
        let inodes = Self.listeningInodes(port)
        return inodes.isEmpty ? [] : Self.owners(of: inodes, among: ProcessTable.pids())
    }

    /// Whether one of these processes listens on the port. Looks at no other process, so it is quick enough to ask
    /// while waiting for the engine's server.
    package func listens(onTCPPort port: UInt16, anyOf pids: [Int32]) -> Bool {
        let inodes = Self.listeningInodes(port)
        guard !inodes.isEmpty else { return false }
        return Self.owners(of: inodes, among: pids).contains { $0.pid != nil }
    }

    private static func listeningInodes(_ port: UInt16) -> Set<UInt64> {
        ["/proc/net/tcp", "/proc/net/tcp6"].reduce(into: []) { inodes, path in
            guard let file = try? Descriptor.open(path, O_RDONLY) else { return }
            var reader = TCPListenerTable.Reader(port: port)
            var offset: Int64 = 0
            while !reader.isComplete, let bytes = try? file.read(upTo: 1 << 14, at: offset), !bytes.isEmpty {
                reader.feed(bytes)
                offset += Int64(bytes.count)
            }
            inodes.formUnion(reader.inodes)
        }
    }

    /// One listener per process, and one without a pid when a socket's owner cannot be seen.
    private static func owners(of inodes: Set<UInt64>, among pids: [Int32]) -> [PortListener] {
        var unseen = inodes
        var listeners: [PortListener] = []
        for pid in pids {
            guard let held = ProcessSockets.inodes(of: pid)?.intersection(inodes), !held.isEmpty,
                let process = ProcessTable.stat(of: pid)
            else { continue }
            unseen.subtract(held)
            listeners.append(PortListener(pid: pid, command: ProcessTable.title(of: process)))
        }
        if !unseen.isEmpty { listeners.append(PortListener(pid: nil, command: nil)) }
        return listeners
    }
}
