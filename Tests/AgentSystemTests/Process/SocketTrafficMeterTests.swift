internal import AgentCore
internal import AgentTestKit
internal import Glibc
internal import Testing

@testable internal import AgentSystem

extension EngineHostSuite {
    /// Against the real kernel: a shell reads from a server of the test.
    @Suite struct SocketTrafficMeterTests {
        @Test("Bytes that a process of the engine received are counted, once each, also after the connection is gone")
        func counts() async throws {
            let server = try #require(ListeningSocket(AF_INET))
            defer { close(server.descriptor) }
            let engine = EngineUnderTest()
            let script = """
                exec 3<>/dev/tcp/127.0.0.1/\(server.port); echo connected=1
                head -c 1000 <&3 >/dev/null; echo first=1
                head -c 5000 <&3 >/dev/null; echo second=1
                exec 3<&- ; echo closed=1; sleep 1000
                """
            _ = try await engine.start(script: script)
            let meter = SocketTrafficMeter()
            func traffic() -> EngineTraffic? {
                meter.traffic(of: engine.host.observe().map(\.pid), servingPort: 1)
            }
            let connection = accept(server.descriptor, nil, nil)
            try #require(connection >= 0)
            defer { close(connection) }
            #expect(await engine.number("connected") == 1)
            #expect(traffic() == EngineTraffic(receivedBytes: 0, connections: 1))
            send(connection, 1000)
            #expect(await engine.number("first") == 1)
            #expect(traffic() == EngineTraffic(receivedBytes: 1000, connections: 1))
            send(connection, 5000)
            #expect(await engine.number("second") == 1)
            let whole = traffic()?.receivedBytes
            #expect(await engine.number("closed") == 1)
            #expect(traffic()?.connections == 0)
            // What came between the last look and the end is not seen; what was seen stays.
            #expect(whole == 6000 || whole == 1000)
            #expect(traffic()?.receivedBytes == whole)
            engine.host.killAll()
            _ = await engine.exit()
            #expect(await engine.isGone())
        }

        private func send(_ connection: Int32, _ count: Int) {
            let bytes = [UInt8](repeating: 7, count: count)
            #expect(Glibc.send(connection, bytes, count, Int32(MSG_NOSIGNAL)) == count)
        }

        @Test("Processes that are gone have no traffic to show")
        func gone() {
            #expect(SocketTrafficMeter().traffic(of: [Int32.max], servingPort: 1) == nil)
        }
    }
}

struct TrafficCountTests {
    private static func connection(
        _ cookie: UInt64, received: UInt64, local: UInt16 = 40000, remote: UInt16 = 9000, isLoopback: Bool = false
    ) -> TCPConnection {
        TCPConnection(
            cookie: cookie, inode: cookie, received: received, owner: 0, localPort: local, remotePort: remote,
            isLoopback: isLoopback)
    }

    @Test("Connections come and go, the sum never falls")
    func sums() {
        var count = TrafficCount()
        func total(_ connections: [TCPConnection]) -> UInt64 {
            count.count(connections, servingPort: 8000) { _ in true }.receivedBytes
        }
        #expect(total([Self.connection(1, received: 10)]) == 10)
        #expect(total([Self.connection(1, received: 15), Self.connection(2, received: 5)]) == 20)
        #expect(total([Self.connection(2, received: 7)]) == 22)
        #expect(total([]) == 22)
        #expect(total([Self.connection(3, received: 1)]) == 23)
    }

    @Test("What clients send to the engine, what its processes tell each other and what others do, is not progress")
    func outside() {
        var count = TrafficCount()
        let traffic = count.count(
            [
                Self.connection(1, received: 100, local: 8000, remote: 50000),
                Self.connection(2, received: 100, local: 29500, remote: 50001, isLoopback: true),
                Self.connection(3, received: 100, local: 50001, remote: 29500, isLoopback: true),
                Self.connection(4, received: 100), Self.connection(5, received: 3, local: 40001),
            ], servingPort: 8000
        ) { $0.cookie != 4 }
        #expect(traffic == EngineTraffic(receivedBytes: 3, connections: 1))
    }
}
