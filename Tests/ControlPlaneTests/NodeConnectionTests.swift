internal import AgentWire
internal import ControlPlane
internal import HTTPTypes
internal import Hummingbird
internal import HummingbirdTesting
internal import ServiceLifecycle
internal import Testing

/// Over a real socket: calls of nodes have a path of their own, which must not differ from the server's.
@Suite("A node's connection", .timeLimit(.minutes(1)))
struct NodeConnectionTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    private struct Call: Sendable {
        var method: HTTPRequest.Method
        var path: String
        var headers: HTTPFields = [:]
        var body = ""

        func request(_ node: CreatedNode, token: String? = nil) -> TestClient.Request {
            var headers = headers
            headers[.authorization] = "Bearer \(token ?? node.token)"
            let body = body.replacing("NODE", with: node.id)
            return TestClient.Request(
                node.path + path, method: method, authority: "127.0.0.1", headers: headers,
                body: body.isEmpty ? nil : ByteBuffer(string: body))
        }
    }

    private static let known: HTTPFields = [.ifNoneMatch: "\"1\""]
    private static let beat = Call(
        method: .put, path: "/heartbeat", headers: [.contentType: "application/json"],
        body: #"{"node_id":"NODE","state":"serving"}"#)

    private static func event(_ body: String, type: String = "application/cloudevents+json") -> Call {
        Call(method: .post, path: "/events", headers: [.contentType: type], body: body)
    }

    private static let batch = "application/cloudevents-batch+json"

    private static func calls() -> [(Call, Int)] {
        let good = Event.json(1, of: "NODE")
        return [
            (Call(method: .get, path: "/assignment"), 200),
            (Call(method: .get, path: "/assignment?wait=0", headers: known), 304),
            (Call(method: .get, path: "/assignment?wait=61", headers: known), 400),
            (beat, 200), (event(good), 202), (event(good, type: "application/json"), 202),
            (event("[\(good)]", type: batch), 200), (event("[]", type: batch), 200), (event("{}", type: batch), 422),
            (event("{}"), 422), (event("{"), 400), (event(good, type: "text/plain"), 415),
            (Call(method: .get, path: "/nothing"), 404), (Call(method: .delete, path: "/heartbeat"), 405),
        ]
    }

    private func withClient(
        _ body: @escaping @Sendable (TestClient, CreatedNode, TestControlPlane, ServiceGroup, Int) async throws -> Void
    ) async throws {
        let controlPlane = try TestControlPlane(in: folder)
        try await controlPlane.withSocket { address, group in
            try await TestClient.withClient(host: address.host, port: address.port) { client in
                let created = try await client.post("/api/v1/nodes", body: ByteBuffer(string: Client.request))
                let json = try JSONValue.parse(Array(created.body?.readableBytesView ?? ByteBuffer().readableBytesView))
                let node = CreatedNode(
                    id: try #require(json["id"]?.stringValue), token: try #require(json["token"]?.stringValue))
                try await TestClient.withClient(host: address.host, port: address.port) { own in
                    try await body(own, node, controlPlane, group, address.port)
                }
            }
        }
    }

    @Test("answers each call as the server does, as the first one on a connection or after others")
    func calls() async throws {
        try await withClient { client, node, _, _, _ in
            for (call, status) in Self.calls() {
                let response = try await client.execute(call.request(node))
                #expect(response.status.code == status, "\(call.method) \(call.path) \(call.body)")
            }
        }
    }

    @Test("gives the assignment with its tag, and counts events whichever way they came")
    func answers() async throws {
        try await withClient { client, node, controlPlane, _, _ in
            let assignment = try await client.execute(Call(method: .get, path: "/assignment").request(node))
            #expect(assignment.headers[.eTag] == "\"1\"")
            #expect(assignment.headers[.cacheControl] == "no-store")
            let first = Self.event("[\(Event.json(1, of: "NODE")),7]", type: Self.batch)
            let body = try await client.execute(first.request(node)).body
            let results = try JSONValue.parse(Array(body?.readableBytesView ?? ByteBuffer().readableBytesView))
            #expect(results["results"]?.arrayValue?.map { $0["status"] } == [.integer(202), .integer(422)])
            #expect(try await controlPlane.store.record(of: node.id)?.eventCount == 1)
        }
    }

    @Test("asks for heartbeats with every answer to a poll, by either way, and with no other")
    func asks() async throws {
        let name = try #require(HTTPField.Name("CrossLogic-Heartbeat-Interval"))
        try await withClient { client, node, _, _, _ in
            for headers in [[:], Self.known] as [HTTPFields] {
                // The second one is the HTTP server's: it has a header that calls of nodes do not have.
                for isPlain in [true, false] {
                    var headers = headers
                    if !isPlain { headers[.te] = "trailers" }
                    let call = Call(method: .get, path: "/assignment?wait=0", headers: headers)
                    let asked = try await client.execute(call.request(node)).headers[name]
                    #expect(asked == "10")
                }
            }
            let unasked = try await client.execute(Self.beat.request(node)).headers[name]
            #expect(unasked == nil)
        }
    }

    @Test("is the node's alone")
    func strangers() async throws {
        try await withClient { client, node, _, _, _ in
            let poll = Call(method: .get, path: "/assignment?wait=30", headers: Self.known)
            for call in [poll, Self.beat] {
                let response = try await client.execute(call.request(node, token: "wrong"))
                #expect(response.status == .unauthorized)
            }
            let unknown = CreatedNode(id: "node-x", token: node.token)
            let response = try await client.execute(poll.request(unknown))
            #expect(response.status == .notFound)
        }
    }

    @Test("reads a call that comes in pieces, and many that come together")
    func pieces() async throws {
        try await withClient { _, node, _, _, port in
            let connection = try RawConnection(port: port)
            let head = "GET \(node.path)/assignment?wait=0 HTTP/1.1\r\nHost: x\r\nIf-None-Match: \"1\"\r\n"
            let call = head + "Authorization: Bearer \(node.token)\r\n\r\n"
            for piece in [call.prefix(10), call.dropFirst(10).prefix(60), call.dropFirst(70)] {
                try connection.send(String(piece))
            }
            try connection.send(String(repeating: call, count: 200))
            try connection.send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            let text = try await connection.receive(until: "\"status\":\"ok\"")
            #expect(text.ranges(of: "HTTP/1.1 304 Not Modified\r\n").count == 201)
        }
    }

    @Test("says what the events' path takes, to anybody and by either way")
    func allowed() async throws {
        try await withClient { client, node, _, _, _ in
            // The second one is the HTTP server's: it has a header that calls of nodes do not have.
            for headers in [[:], [.te: "trailers"]] as [HTTPFields] {
                let question = TestClient.Request(
                    node.path + "/events", method: .options, authority: "127.0.0.1", headers: headers, body: nil)
                let answer = try await client.execute(question)
                #expect(answer.status == .noContent)
                #expect(answer.headers[.allow] == "GET, HEAD, OPTIONS, POST")
            }
        }
    }

    @Test("takes no more calls from a client that takes no answers, and answers them all once it does")
    func heldUp() async throws {
        try await withClient { _, node, _, _, port in
            let connection = try RawConnection(port: port, receiveBufferBytes: 64 << 10)
            let head = "GET \(node.path)/assignment?wait=0 HTTP/1.1\r\nHost: x\r\nIf-None-Match: \"1\"\r\n"
            let call = head + "Authorization: Bearer \(node.token)\r\n\r\n"
            let sent = try #require(
                try await connection.sendUntilFull(call, atMost: 100_000), "the server took all of 100 000 calls")
            async let text = connection.receive(until: "\"status\":\"ok\"")
            try connection.send(sent.rest + "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            let lines = try await text.utf8.split(separator: UInt8(ascii: "\n"))
            #expect(lines.count { $0.starts(with: "HTTP/1.1 304 ".utf8) } == sent.begun)
        }
    }

    @Test("waits for news like the server's polls, and is answered before the server stops")
    func waits() async throws {
        try await withClient { client, node, controlPlane, group, _ in
            let poll = Call(method: .get, path: "/assignment?wait=60", headers: Self.known)
            async let response = client.execute(poll.request(node))
            await controlPlane.waitUntilPolling(1)
            await group.triggerGracefulShutdown()
            let answer = try await response
            #expect(answer.status == .notModified)
            #expect(answer.headers[.connection] == "close")
        }
    }
}
