internal import ControlPlane
internal import HTTPTypes
internal import Hummingbird
internal import HummingbirdTesting
internal import ServiceLifecycle
internal import Testing

/// Over a real socket: what counts here is what a waiting connection sees.
@Suite("A waiting poll", .timeLimit(.minutes(1)))
struct LongPollTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    private static let promptly = Duration.seconds(5)

    private static func poll(_ node: CreatedNode, wait: Int = 60) -> TestClient.Request {
        TestClient.Request(
            node.path + "/assignment?wait=\(wait)", method: .get, authority: "127.0.0.1",
            headers: [.authorization: "Bearer \(node.token)", .ifNoneMatch: "\"1\""])
    }

    /// One poll that waits, and what `change` made of it.
    private func answer(
        to change: @escaping @Sendable (CreatedNode, TestClient, ServiceGroup) async throws -> Void
    ) async throws -> (TestClient.Response, after: Duration) {
        let controlPlane = try TestControlPlane(in: folder)
        let (answers, continuation) = AsyncStream.makeStream(of: (TestClient.Response, Duration).self)
        try await controlPlane.withSocket { address, group in
            let node = try await Self.create(on: address)
            try await TestClient.withClient(host: address.host, port: address.port) { waiting in
                async let response = waiting.execute(Self.poll(node))
                await controlPlane.waitUntilPolling(1)
                let start = ContinuousClock.now
                try await TestClient.withClient(host: address.host, port: address.port) { other in
                    try await change(node, other, group)
                }
                continuation.yield((try await response, ContinuousClock.now - start))
            }
        }
        var iterator = answers.makeAsyncIterator()
        let (response, after) = try #require(await iterator.next())
        return (response, after)
    }

    private static func create(on address: ListenAddress) async throws -> CreatedNode {
        try await TestClient.withClient(host: address.host, port: address.port) { client in
            let response = try await client.post("/api/v1/nodes", body: ByteBuffer(string: Client.request))
            let body = Array(response.body?.readableBytesView ?? ByteBuffer().readableBytesView)
            let json = Answer(status: 0, headers: [:], body: body).json
            return CreatedNode(
                id: try #require(json["id"]?.stringValue), token: try #require(json["token"]?.stringValue))
        }
    }

    @Test("is answered at once when the node gets a new assignment")
    func replaced() async throws {
        let (response, after) = try await answer { node, client, _ in
            _ = try await client.put(node.path, body: ByteBuffer(string: #"{"model":"acme/tiny"}"#))
        }
        #expect(response.status == .ok)
        #expect(response.headers[.eTag] == "\"2\"")
        #expect(after < Self.promptly)
    }

    @Test("is answered 410 at once when the node is revoked")
    func revoked() async throws {
        let (response, after) = try await answer { node, client, _ in
            _ = try await client.delete(node.path, body: ByteBuffer())
        }
        #expect(response.status == .gone)
        #expect(after < Self.promptly)
    }

    @Test("is answered 304 at once when the server stops")
    func stopped() async throws {
        let (response, after) = try await answer { _, _, group in await group.triggerGracefulShutdown() }
        #expect(response.status == .notModified)
        #expect(after < Self.promptly)
    }

    @Test("is answered 304 when the wait is over, not before")
    func unchanged() async throws {
        try await TestControlPlane(in: folder).withSocket { address, _ in
            let node = try await Self.create(on: address)
            try await TestClient.withClient(host: address.host, port: address.port) { client in
                let start = ContinuousClock.now
                let response = try await client.execute(Self.poll(node, wait: 1))
                #expect(response.status == .notModified)
                #expect(response.headers[.eTag] == "\"1\"")
                #expect(ContinuousClock.now - start >= .seconds(1))
            }
        }
    }

    @Test("is not woken by a change of another node")
    func otherNode() async throws {
        let controlPlane = try TestControlPlane(in: folder)
        try await controlPlane.withSocket { address, _ in
            let node = try await Self.create(on: address)
            let other = try await Self.create(on: address)
            try await TestClient.withClient(host: address.host, port: address.port) { waiting in
                async let response = waiting.execute(Self.poll(node, wait: 1))
                await controlPlane.waitUntilPolling(1)
                try await TestClient.withClient(host: address.host, port: address.port) { client in
                    _ = try await client.put(other.path, body: ByteBuffer(string: Client.request))
                }
                #expect(try await response.status == .notModified)
            }
        }
    }

    @Test("ends when its client goes away")
    func clientGone() async throws {
        let controlPlane = try TestControlPlane(in: folder)
        try await controlPlane.withSocket { address, _ in
            let node = try await Self.create(on: address)
            do {
                let connection = try RawConnection(port: address.port)
                let head = "GET \(node.path)/assignment?wait=60 HTTP/1.1\r\nHost: x\r\nIf-None-Match: \"1\"\r\n"
                try connection.send(head + "Authorization: Bearer \(node.token)\r\n\r\n")
                await controlPlane.waitUntilPolling(1)
            }
            await controlPlane.waitUntilPolling(0)
        }
    }

    @Test("is refused where a node has too many already")
    func tooMany() async throws {
        let controlPlane = try TestControlPlane(in: folder, pollsPerNode: 1)
        try await controlPlane.withSocket { address, group in
            let node = try await Self.create(on: address)
            try await TestClient.withClient(host: address.host, port: address.port) { waiting in
                async let first = waiting.execute(Self.poll(node))
                await controlPlane.waitUntilPolling(1)
                try await TestClient.withClient(host: address.host, port: address.port) { client in
                    let second = try await client.execute(Self.poll(node))
                    #expect(second.status == .serviceUnavailable)
                    #expect(second.headers[.retryAfter] == "5")
                }
                await group.triggerGracefulShutdown()
                #expect(try await first.status == .notModified)
            }
        }
    }

    @Test("and a request that never ends do not hold up a stop beyond its limit")
    func stopLimit() async throws {
        let start = ContinuousClock.now
        try await TestControlPlane(in: folder, stopLimit: .milliseconds(300)).withSocket { address, group in
            let connection = try RawConnection(port: address.port)
            try connection.send("POST /api/v1/nodes HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
            // An answer on a second connection: by now the server has read the first one's head.
            _ = try await Self.create(on: address)
            await group.triggerGracefulShutdown()
        }
        #expect(ContinuousClock.now - start < Self.promptly)
    }
}
