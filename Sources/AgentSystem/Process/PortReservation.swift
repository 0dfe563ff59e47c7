internal import CLinux
internal import Glibc

/// Whether a TCP port is free, asked of the kernel by binding to it for a moment.
///
/// Microseconds, where reading /proc/net/tcp takes milliseconds: the kernel walks every bucket of its table for it.
enum PortReservation {
    /// False also where it cannot be told, as for a port below 1024 without privilege.
    static func isFree(_ port: UInt16) -> Bool {
        // An IPv6 socket that takes IPv4 too meets the listeners of both.
        guard let number = try? SystemError.check("socket", clinux_tcp6_socket) else { return false }
        let descriptor = Descriptor(owning: number)
        var no: Int32 = 0
        var yes: Int32 = 1
        setsockopt(descriptor.number, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &no, socklen_t(MemoryLayout<Int32>.size))
        // With this, connections that are merely closing do not count, as they do not for the engine; listeners do.
        setsockopt(descriptor.number, SOL_SOCKET, SO_REUSEADDR, &yes, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in6()
        address.sin6_family = sa_family_t(AF_INET6)
        address.sin6_port = port.bigEndian
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor.number, $0, socklen_t(MemoryLayout<sockaddr_in6>.size)) == 0
            }
        }
    }
}
