internal import AgentTestKit
internal import Dispatch
internal import Glibc
internal import Locking

/// In the place of `crosslogic-enginectl`: writes down what it is asked for, and gives its answers one after the other,
/// over so many connections.
final class FakeDoor: Sendable {
    private let descriptor: Int32
    private let text = Mutex("")

    private let answers: Mutex<[String]>

    init?(_ path: String, answers: [String] = [], connections: Int = 1) {
        guard let descriptor = UnixSocket.bound(SOCK_STREAM, at: path), listen(descriptor, 1) == 0 else { return nil }
        self.descriptor = descriptor
        self.answers = Mutex(answers)
        DispatchQueue(label: "fake-door").async { [descriptor] in
            for _ in 0..<connections { self.serve(accept(descriptor, nil, nil)) }
        }
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
            let answer = answers.withLock { $0.isEmpty ? "ok\n\n" : $0.removeFirst() }
            _ = send(connection, answer, answer.utf8.count, Int32(MSG_NOSIGNAL))
        }
    }
}
