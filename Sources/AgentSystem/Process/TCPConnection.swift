internal import CLinux

/// An established TCP connection, as the kernel's socket diagnostics show it.
struct TCPConnection: Equatable, Sendable {
    /// Names the socket for good, as its inode does not.
    var cookie: UInt64
    var inode: UInt64
    /// Of the socket's maker; 0 where the kernel does not tell.
    var cgroup: UInt64 = 0
    /// Payload, in bytes.
    var received: UInt64
    /// User id of the socket's owner.
    var owner: UInt32
    var localPort: UInt16
    var remotePort: UInt16
    var isLoopback: Bool

    /// All of this network namespace; nil when the kernel does not tell (no `inet_diag`, or a sandbox without
    /// AF_NETLINK).
    static func all() -> [TCPConnection]? {
        let collector = Collector()
        for isIPv6: Int32 in [0, 1] {
            let result = clinux_each_connection(
                isIPv6,
                { connection, context in
                    guard let connection, let context else { return }
                    Unmanaged<Collector>.fromOpaque(context).takeUnretainedValue().add(connection.pointee)
                }, Unmanaged.passUnretained(collector).toOpaque())
            if result != 0, isIPv6 == 0 { return nil }
        }
        return withExtendedLifetime(collector) { collector.found }
    }

    private final class Collector {
        private(set) var found: [TCPConnection] = []

        func add(_ connection: clinux_connection) {
            found.append(
                TCPConnection(
                    cookie: connection.cookie, inode: connection.inode, cgroup: connection.cgroup,
                    received: connection.received,
                    owner: connection.owner, localPort: connection.local_port, remotePort: connection.remote_port,
                    isLoopback: connection.is_loopback != 0))
        }
    }
}
