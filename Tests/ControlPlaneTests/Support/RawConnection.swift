internal import Dispatch
internal import Glibc
internal import Synchronization

/// A client that sends what no library would.
final class RawConnection: Sendable {
    struct Refused: Error {}

    /// Nil once hung up.
    private let descriptor: Mutex<CInt?>

    /// Connects to 127.0.0.1. `receiveBufferBytes`: of the kernel; else as it likes.
    /// - Throws: `Refused`.
    init(port: Int, receiveBufferBytes: CInt? = nil) throws {
        let descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue), 0)
        self.descriptor = Mutex(descriptor)
        if var bytes = receiveBufferBytes {
            setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &bytes, socklen_t(MemoryLayout<CInt>.size))
        }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = INADDR_LOOPBACK.bigEndian
        let connected = withUnsafePointer(to: address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard connected == 0 else { throw Refused() }
    }

    deinit {
        hangUp()
    }

    func send(_ text: String) throws {
        let bytes = Array(text.utf8)
        // Written without the lock: it may have to wait until somebody receives.
        let descriptor = descriptor.withLock { $0 }
        guard let descriptor, write(descriptor, bytes, bytes.count) == bytes.count else { throw Refused() }
    }

    /// Sends `text` over and over, on a thread of its own, until the server has taken nothing for two seconds.
    ///
    /// How often it was begun, and what is left of the last one. Nil where `most` of them did not fill the connection.
    func sendUntilFull(_ text: String, atMost most: Int) async throws -> (begun: Int, rest: String)? {
        let descriptor = descriptor.withLock { $0 }
        guard let descriptor else { throw Refused() }
        return await withCheckedContinuation { continuation in
            DispatchQueue.global().async {
                continuation.resume(returning: Self.fill(descriptor, Array(text.utf8), atMost: most))
            }
        }
    }

    private static func fill(_ descriptor: CInt, _ text: [UInt8], atMost most: Int) -> (begun: Int, rest: String)? {
        var state = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        var total = 0
        while total < most * text.count {
            let rest = text[(total % text.count)...]
            let count = rest.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress, $0.count, CInt(MSG_DONTWAIT) | CInt(MSG_NOSIGNAL))
            }
            if count > 0 {
                total += count
            } else if errno != EAGAIN || poll(&state, 1, 2000) == 0 {
                let begun = (total + text.count - 1) / text.count
                let isWhole = total % text.count == 0
                return (begun, isWhole ? "" : String(decoding: rest, as: UTF8.self))
            }
        }
        return nil
    }

    /// Reads on a thread of its own until `end` has come, or the connection has ended.
    func receive(until end: String) async throws -> String {
        let descriptor = descriptor.withLock { $0 }
        guard let descriptor else { throw Refused() }
        return await withCheckedContinuation { continuation in
            DispatchQueue.global().async {
                var received: [UInt8] = []
                var bytes = [UInt8](repeating: 0, count: 4096)
                while !received.suffix(2 * end.utf8.count).contains(end.utf8),
                    case let count = read(descriptor, &bytes, bytes.count), count > 0
                {
                    received += bytes.prefix(count)
                }
                continuation.resume(returning: String(decoding: received, as: UTF8.self))
            }
        }
    }

    func hangUp() {
        descriptor.withLock { descriptor in
            if let open = descriptor { close(open) }
            descriptor = nil
        }
    }
}
