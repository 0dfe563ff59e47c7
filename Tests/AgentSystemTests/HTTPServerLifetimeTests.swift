internal import AgentSystem
internal import AgentTestKit
internal import Testing

@Suite("heartbeat server: lifetime", .timeLimit(.minutes(1)))
struct HTTPServerLifetimeTests {
    @Test("cancelling ends the server with all its connections, and frees the port")
    func cancellation() async throws {
        let server = HeartbeatServer(host: "127.0.0.1", port: 0) { _ in
            ServerReply(status: 200, contentType: "text/plain", body: [])
        }
        let port = try await server.start()
        let idle = try #require(RawTCPClient(port: port))
        let halfway = try #require(RawTCPClient(port: port))
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await server.run() }
            idle.send("GET / HTTP/1.1\r\nhost: h\r\n\r\n")
            #expect(await idle.readAnswers(1).count == 1)
            halfway.send("GET / HT")
            group.cancelAll()
        }
        #expect(await idle.readToEnd() == "")
        #expect(await halfway.readToEnd() == "")
        #expect(RawTCPClient(port: port) == nil)
        let next = HeartbeatServer(host: "127.0.0.1", port: port) { _ in
            ServerReply(status: 204, contentType: "", body: [])
        }
        #expect(try await next.start() == port)
        await endAtOnce(next)
    }

    @Test("a port that is taken is named, with what to do")
    func portTaken() async throws {
        try await HTTPServerUnderTest.run { running in
            let message = try #require(await failure(host: "127.0.0.1", port: running.port))
            let place = "127.0.0.1:\(running.port)"
            #expect(message.hasPrefix("cannot listen for heartbeats on \(place): Address already in use; "))
            #expect(message.contains("ss -ltnp"))
        }
    }

    @Test(
        "an address that is not this machine's, or none at all, is named",
        arguments: [("192.0.2.1", "192.0.2.1:1: Cannot assign"), ("localhost", "\"localhost\" is not an IP address")])
    func badAddress(host: String, words: String) async throws {
        let message = try #require(await failure(host: host, port: 1))
        #expect(message.contains(words))
    }

    @Test("IPv6 addresses are listened on", arguments: ["::1", "::"])
    func ipv6(host: String) async throws {
        let server = HeartbeatServer(host: host, port: 0) { _ in
            ServerReply(status: 200, contentType: "text/plain", body: [])
        }
        #expect(try await server.start() > 0)
        await endAtOnce(server)
    }

    @Test("every descriptor of the server's is close-on-exec")
    func closeOnExec() async {
        await #expect(processExitsWith: .success) {
            let before = Set(OpenDescriptor.all().map(\.target))
            try await HTTPServerUnderTest.run { server in
                let client = try server.connect()
                client.send("GET / HTTP/1.1\r\nhost: h\r\n\r\n")
                #expect(await client.readAnswers(1).count == 1)
                let all = OpenDescriptor.all()
                let mine = all.filter { !before.contains($0.target) || $0.target.hasPrefix("anon_inode") }
                // The listener, both ends of a connection, epoll, eventfd and timerfd.
                #expect(mine.count >= 6, "\(mine)")
                let inheritable = mine.filter { !$0.isCloseOnExec }
                #expect(inheritable == [], "\(inheritable)")
            }
        }
    }

    @Test("twenty servers one after the other leave no descriptors behind")
    func noDescriptorsLeft() async {
        await #expect(processExitsWith: .success) {
            func serveOnce() async throws -> Int {
                try await HTTPServerUnderTest.run { server in
                    let client = try server.connect()
                    client.send("GET / HTTP/1.1\r\nhost: h\r\n\r\n")
                    #expect(await client.readAnswers(1).count == 1)
                }
                return OpenDescriptor.all().count
            }
            let first = try await serveOnce()
            var last = 0
            for _ in 0..<20 { last = try await serveOnce() }
            // The concurrency runtime may have opened its own timer meanwhile; a leak would be twenty or more.
            #expect(last - first < 10)
        }
    }

    private func failure(host: String, port: UInt16) async -> String? {
        let server = HeartbeatServer(host: host, port: port) { _ in
            ServerReply(status: 200, contentType: "text/plain", body: [])
        }
        do throws(HeartbeatServerFailure) {
            _ = try await server.start()
            await endAtOnce(server)
            return nil
        } catch {
            return error.message
        }
    }

    private func endAtOnce(_ server: HeartbeatServer) async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await server.run() }
            group.cancelAll()
        }
    }
}
