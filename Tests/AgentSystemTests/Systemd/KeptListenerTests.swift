internal import AgentSystem
internal import AgentTestKit
internal import Glibc
internal import Locking
internal import Testing

@Suite("the heartbeat's socket over a restart", .timeLimit(.minutes(1)))
struct KeptListenerTests {
    let folder = TemporaryFolder()

    @Test("Who connects while no agent runs is answered by the next one")
    func betweenAgents() async throws {
        let kept = Mutex<Int32>(-1)
        let first = Self.server("first")
        let port = try await first.start { descriptor in kept.withLock { $0 = dup(descriptor) } }
        await Self.end(first)
        let client = try #require(RawTCPClient(port: port))
        client.send("GET / HTTP/1.1\r\nhost: h\r\n\r\n")
        let next = Self.server("next")
        #expect(try await next.start(on: kept.withLock { $0 }) == port)
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await next.run() }
            #expect(await client.readAnswers(1).first?.hasSuffix("next") == true)
            group.cancelAll()
        }
        #expect(RawTCPClient(port: port) == nil)
    }

    @Test("A request that is on its way when the server ends is answered, and then the connection is closed")
    func lastAnswer() async throws {
        let server = Self.server("last")
        let port = try await server.start()
        let client = try #require(RawTCPClient(port: port))
        let witness = try #require(RawTCPClient(port: port))
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await server.run() }
            client.send("GET / HT")
            // Answered behind the connection before it: that one is accepted by now.
            witness.send("GET / HTTP/1.1\r\nhost: h\r\n\r\n")
            #expect(await witness.readAnswers(1).count == 1)
            group.cancelAll()
            // Idle, and so closed at once: the server is ending.
            #expect(await witness.readToEnd() == "")
            client.send("TP/1.1\r\nhost: h\r\n\r\n")
            let answer = await client.readToEnd()
            #expect(answer.hasSuffix("last"))
            #expect(answer.contains("connection: close"))
        }
    }

    @Test("Without a service manager there is nothing to take, and keeping does no harm")
    func noManager() async {
        await #expect(processExitsWith: .success) {
            for name in ["LISTEN_FDS", "LISTEN_PID", "NOTIFY_SOCKET"] { unsetenv(name) }
            let listener = KeptListener("heartbeat")
            guard listener.take(host: "127.0.0.1", port: 0) == nil else { exit(1) }
            listener.keep(0)
        }
    }

    @Test(
        "What the manager has kept is taken where it listens at the place of the settings",
        arguments: [(true, "127.0.0.1", "127.0.0.1"), (true, "::1", "::1"), (false, "127.0.0.1", "127.0.0.2")])
    func place(isTaken: Bool, address: String, wanted: String) async throws {
        let socket = try #require(DatagramSocket(folder.file("notify")))
        await #expect(processExitsWith: .success) {
            [path = folder.file("notify") as String, isTaken = isTaken as Bool, address = address as String,
                wanted = wanted as String] in
            setenv("NOTIFY_SOCKET", path, 1)
            guard let (number, port) = try await Self.passListener(at: address) else { exit(2) }
            let taken = KeptListener("heartbeat").take(host: wanted, port: port)
            guard taken == (isTaken ? number : nil) else { exit(3) }
            let isOpen = fcntl(number, F_GETFD) != -1
            exit(isOpen == isTaken ? 0 : 4)
        }
        #expect(socket.receive() == (isTaken ? nil : "FDSTOREREMOVE=1\nFDNAME=heartbeat"))
    }

    @Test("A kept socket is stored under its name, and not let go of when epoll would")
    func keeping() async throws {
        let socket = try #require(DatagramSocket(folder.file("notify")))
        await #expect(processExitsWith: .success) { [path = folder.file("notify") as String] in
            setenv("NOTIFY_SOCKET", path, 1)
            KeptListener("heartbeat").keep(0)
        }
        #expect(socket.receive() == "FDSTORE=1\nFDPOLL=0\nFDNAME=heartbeat")
    }

    // MARK: Details

    private static func server(_ text: String) -> HeartbeatServer {
        HeartbeatServer(host: "127.0.0.1", port: 0) { _ in
            ServerReply(status: 200, contentType: "text/plain", body: Array(text.utf8))
        }
    }

    private static func end(_ server: HeartbeatServer) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await server.run() }
            group.cancelAll()
        }
    }

    /// As the manager passes it: every number from 3 on has a name, and this process is the one that is meant. The kernel
    /// gives out the lowest free number, so all below are open.
    private static func passListener(at address: String) async throws -> (number: Int32, port: UInt16)? {
        let server = HeartbeatServer(host: address, port: 0) { _ in ServerReply(status: 200, contentType: "", body: []) }
        let made = Mutex<Int32>(-1)
        let port = try await server.start { descriptor in made.withLock { $0 = dup(descriptor) } }
        let number = made.withLock { $0 }
        guard number > 2 else { return nil }
        let names = [String](repeating: "other", count: Int(number) - 3) + ["heartbeat"]
        setenv("LISTEN_FDS", "\(names.count)", 1)
        setenv("LISTEN_PID", "\(getpid())", 1)
        setenv("LISTEN_FDNAMES", names.joined(separator: ":"), 1)
        return (number, port)
    }
}
