import Glibc

/// A server without threads: everything happens in `turn()`, called by the one loop of the stand-in.
struct HTTPListener {
    struct Connection {
        var peer: String
        var inbox: [UInt8] = []
        var outbox: [UInt8] = []
        var closeWhenSent = false
    }

    private var listener: Int32 = -1
    private var isListening = false
    private var connections: [Int32: Connection] = [:]

    /// Binds like the real one does: early, and without listening, so that clients are refused until the end.
    /// False where the port is taken.
    mutating func bind(host: String, port: UInt16) -> Bool {
        listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue), 0)
        var one: Int32 = 1
        setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, socklen_t(MemoryLayout<Int32>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        inet_pton(AF_INET, host, &address.sin_addr)
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let code = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { Glibc.bind(listener, $0, size) }
        }
        return code == 0
    }

    mutating func listen() {
        isListening = Glibc.listen(listener, 128) == 0
    }

    mutating func stopListening() {
        close(listener)
        listener = -1
        isListening = false
    }

    /// Waits at most that long for something to do and does it. Returns the requests that came in.
    mutating func turn(milliseconds: Int32) -> [(connection: Int32, request: HTTPRequest)] {
        var watched = connections.map { descriptor, connection in
            pollfd(fd: descriptor, events: Int16(connection.outbox.isEmpty ? POLLIN : POLLIN | POLLOUT), revents: 0)
        }
        // A socket that is bound and does not listen is always ready, with POLLHUP.
        if isListening { watched.append(pollfd(fd: listener, events: Int16(POLLIN), revents: 0)) }
        poll(&watched, nfds_t(watched.count), milliseconds)
        var requests: [(Int32, HTTPRequest)] = []
        for entry in watched where entry.revents != 0 {
            if entry.fd == listener {
                acceptAll()
            } else {
                requests += serve(entry.fd)
            }
        }
        return requests
    }

    mutating func answer(_ descriptor: Int32, _ bytes: [UInt8], thenClose: Bool) {
        connections[descriptor]?.outbox += bytes
        connections[descriptor]?.closeWhenSent = thenClose
        flush(descriptor)
    }

    func peer(of descriptor: Int32) -> String? {
        connections[descriptor]?.peer
    }

    private mutating func acceptAll() {
        while true {
            var address = sockaddr_in()
            var size = socklen_t(MemoryLayout<sockaddr_in>.size)
            let descriptor = withUnsafeMutablePointer(to: &address) {
                $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    accept(listener, $0, &size)
                }
            }
            guard descriptor >= 0 else { return }
            // One thread, so nothing is spawned in between (Glibc's module map has no accept4).
            _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
            _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
            var text = [CChar](repeating: 0, count: Int(INET_ADDRSTRLEN))
            inet_ntop(AF_INET, &address.sin_addr, &text, socklen_t(text.count))
            let host = String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
            connections[descriptor] = Connection(peer: "\(host):\(UInt16(bigEndian: address.sin_port))")
        }
    }

    private mutating func serve(_ descriptor: Int32) -> [(Int32, HTTPRequest)] {
        var buffer = [UInt8](repeating: 0, count: 65536)
        let count = read(descriptor, &buffer, buffer.count)
        if count == 0 || (count < 0 && errno != EAGAIN) {
            drop(descriptor)
            return []
        }
        if count > 0 { connections[descriptor]?.inbox += buffer[..<count] }
        flush(descriptor)
        guard var connection = connections[descriptor] else { return [] }
        var requests: [(Int32, HTTPRequest)] = []
        while let request = HTTPRequest.take(from: &connection.inbox) {
            requests.append((descriptor, request))
        }
        connections[descriptor]?.inbox = connection.inbox
        return requests
    }

    private mutating func flush(_ descriptor: Int32) {
        guard var connection = connections[descriptor], !connection.outbox.isEmpty else { return }
        let count = connection.outbox.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
        guard count >= 0 || errno == EAGAIN else {
            drop(descriptor)
            return
        }
        connection.outbox.removeFirst(max(0, count))
        connections[descriptor] = connection
        if connection.outbox.isEmpty, connection.closeWhenSent { drop(descriptor) }
    }

    private mutating func drop(_ descriptor: Int32) {
        close(descriptor)
        connections[descriptor] = nil
    }
}
