internal import Glibc

/// A Unix socket of the test's own process at a path, where clients can connect. It stays in the file system.
package struct UnixListener: ~Copyable {
    package struct NotBound: Error {}

    private let descriptor: Int32

    package init(at path: String) throws {
        guard let descriptor = UnixSocket.bound(SOCK_STREAM, at: path), listen(descriptor, 1) == 0 else {
            throw NotBound()
        }
        self.descriptor = descriptor
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
