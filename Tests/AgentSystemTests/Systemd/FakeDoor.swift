internal import AgentTestKit
internal import Dispatch
internal import Glibc
internal import Locking

/// In the place of `crosslogic-enginectl`: writes down what it is asked for.
final class FakeDoor: Sendable {
    private let descriptor: Int32
    private let text = Mutex("")

    init?(_ path: String) {
        guard let descriptor = UnixSocket.bound(SOCK_STREAM, at: path), listen(descriptor, 1) == 0 else { return nil }
        self.descriptor = descriptor
        DispatchQueue(label: "fake-door").async { [descriptor] in self.serve(accept(descriptor, nil, nil)) }
    }

    deinit { close(descriptor) }

    /// A verb a line.
    var heard: String { text.withLock { $0 } }

    private func serve(_ connection: Int32) {
        defer { close(connection) }
        var byte: UInt8 = 0
        while recv(connection, &byte, 1, 0) == 1 {
            text.withLock { $0.unicodeScalars.append(Unicode.Scalar(byte)) }
            guard byte == UInt8(ascii: "\n") else { continue }
            _ = send(connection, "ok\n\n", 4, Int32(MSG_NOSIGNAL))
        }
    }
}
