internal import Glibc

/// A Unix socket of the test's own process at a path, where clients can connect. It stays in the file system.
package struct UnixListener: ~Copyable {
    package struct NotBound: Error {}

    private let descriptor: Int32

    package init(at path: String) throws {
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let bound = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        guard bound == 0, listen(descriptor, 1) == 0 else { throw NotBound() }
    }

    deinit {
        close(descriptor)
    }

    /// What the first client sent before it hung up; waits for both.
    package func received() -> [UInt8] {
        let connection = accept(descriptor, nil, nil)
        defer { close(connection) }
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 512)
        while case let count = recv(connection, &piece, piece.count, 0), count > 0 { bytes += piece.prefix(count) }
        return bytes
    }
}
