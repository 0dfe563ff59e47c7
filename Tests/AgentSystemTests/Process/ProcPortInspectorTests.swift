internal import AgentCore
internal import Glibc
internal import Testing

@testable internal import AgentSystem

struct ProcPortInspectorTests {
    @Test("A listener is found with its process, over IPv4 and IPv6", arguments: [AF_INET, AF_INET6])
    func ours(family: Int32) throws {
        let socket = try #require(ListeningSocket(family))
        defer { close(socket.descriptor) }
        let inspector = ProcPortInspector()
        let listeners = inspector.listeners(onTCPPort: socket.port)
        #expect(listeners.map(\.pid) == [getpid()])
        #expect(listeners.first?.command?.isEmpty == false)
        #expect(inspector.listens(onTCPPort: socket.port, anyOf: [1, getpid()]))
        #expect(!inspector.listens(onTCPPort: socket.port, anyOf: [1]))
        #expect(!inspector.listens(onTCPPort: socket.port, anyOf: []))
    }

    @Test("A socket that is bound but does not listen is no listener")
    func bound() throws {
        let socket = try #require(ListeningSocket(AF_INET, listens: false))
        defer { close(socket.descriptor) }
        #expect(ProcPortInspector().listeners(onTCPPort: socket.port).isEmpty)
    }

    /// Lines of a real /proc/net/tcp: a listener on 8000, one on 18000, then connections of port 8000.
    static let table = """
          sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
           0: 0100007F:1F40 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 31337 1 0000000000000000 100 0 0 10 0
           1: 00000000:4650 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4242 1 0000000000000000 100 0 0 10 0
           2: 0100007F:1F40 0100007F:D431 01 00000000:00000000 02:0000045E 00000000     0        0 777 2 0000000000000000 20 4 30 10 -1
           3: 0100007F:1F40 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 888 1 0000000000000000 100 0 0 10 0

        """

    @Test("The table is read in pieces of any size, and only as far as the listeners go", arguments: [1, 7, 100, 4096])
    func pieces(size: Int) {
        var reader = TCPListenerTable.Reader(port: 8000)
        let bytes = Array(Self.table.utf8)
        for start in stride(from: 0, to: bytes.count, by: size) {
            reader.feed(Array(bytes[start..<min(start + size, bytes.count)]))
        }
        #expect(reader.inodes == [31337])
        #expect(reader.isComplete)
    }

    @Test(
        "IPv6 addresses and damaged lines",
        arguments: [
            (
                "   0: 00000000000000000000000000000000:1F40 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 55 1\n",
                1
            ),
            ("   0: 0100007F:1F40\n", 0), ("garbage\n", 0), ("   0: nonsense nonsense 0A a b c d e f g\n", 0),
        ])
    func lines(line: String, count: Int) {
        var reader = TCPListenerTable.Reader(port: 8000)
        reader.feed(Array(line.utf8))
        #expect(reader.inodes.count == count)
    }
}

/// A TCP socket on a free port of the loopback address.
struct ListeningSocket {
    var descriptor: Int32
    var port: UInt16

    init?(_ family: Int32, listens: Bool = true) {
        let descriptor = socket(family, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var address = sockaddr_in6()
        address.sin6_family = sa_family_t(family)
        if family == AF_INET6 { address.sin6_addr = in6addr_loopback }
        var length = socklen_t(MemoryLayout<sockaddr_in6>.size)
        let port = withUnsafeMutablePointer(to: &address) { pointer -> UInt16? in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer in
                let size = family == AF_INET ? socklen_t(MemoryLayout<sockaddr_in>.size) : length
                guard bind(descriptor, pointer, size) == 0, !listens || listen(descriptor, 1) == 0,
                    getsockname(descriptor, pointer, &length) == 0
                else { return nil }
                // The port stands in the same place in both kinds of address.
                return pointer.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) {
                    UInt16(bigEndian: $0.pointee.sin6_port)
                }
            }
        }
        guard let port else {
            close(descriptor)
            return nil
        }
        self.descriptor = descriptor
        self.port = port
    }
}
