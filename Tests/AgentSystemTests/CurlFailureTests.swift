internal import AgentCore
internal import AgentTestKit
internal import Testing

@testable internal import AgentSystem

@Suite("libcurl client: failures", .timeLimit(.minutes(1)))
struct CurlFailureTests {
    private static let head = "HTTP/1.1 200 OK\r\n"

    @Test("nobody listening is a failure to connect")
    func refused() async throws {
        let server = MisbehavingHTTPServer()
        server.stop()
        for await _ in server.facts {}
        try await withCurl(server) { server, client in
            let failure = try #require(await client.failure(server.url))
            #expect(failure.kind == .connect)
            #expect(failure.message.contains("127.0.0.1"))
        }
    }

    @Test(
        "an answer that breaks off is truncated",
        arguments: [
            [.readRequest],
            [.readRequest, .reset],
            [.readRequest, .send(head)],
            [.readRequest, .send(head + "content-length: 10\r\n\r\n12345")],
            [.readRequest, .send(head + "content-length: 10\r\n\r\n12345"), .reset],
            [.readRequest, .send(head + "transfer-encoding: chunked\r\n\r\n5\r\n12345\r\n")],
            [.readRequest, .send(head + "transfer-encoding: chunked\r\n\r\nzz\r\n12345\r\n"), .hold],
        ] as [[MisbehavingHTTPServer.Step]])
    func truncated(steps: [MisbehavingHTTPServer.Step]) async throws {
        try await withCurl(MisbehavingHTTPServer { _ in steps }) { server, client in
            #expect(await client.failure(server.url)?.kind == .truncated)
        }
    }

    @Test(
        "a server that is silent, or never done, runs into the total timeout",
        arguments: [
            [.hold],
            [.readRequest, .hold],
            [.readRequest, .send(head + "x-drip: "), .drip],
            [.readRequest, .send(head + "content-length: 1000000\r\n\r\n"), .drip],
        ] as [[MisbehavingHTTPServer.Step]])
    func timeout(steps: [MisbehavingHTTPServer.Step]) async throws {
        try await withCurl(MisbehavingHTTPServer { _ in steps }) { server, client in
            let begin = CurlTestClocks().now()
            let failure = await client.failure(server.url, timeout: .milliseconds(150))
            #expect(failure?.kind == .timeout)
            #expect(CurlTestClocks().now() - begin >= .milliseconds(149))
            #expect(await server.reaches(.ended(connection: 0)))
        }
    }

    @Test("a body over the limit is refused by its Content-Length, before any of it has come")
    func declaredTooLarge() async throws {
        let server = MisbehavingHTTPServer(.readRequest, .send(Self.head + "content-length: 101\r\n\r\n"), .hold)
        try await withCurl(server) { server, client in
            var request = HTTPRequest(.get, server.url, timeout: .seconds(20))
            request.maximumResponseBytes = 100
            #expect(await client.failure(of: request)?.kind == .tooLarge)
        }
    }

    @Test("a body that grows over the limit ends the transfer")
    func grownTooLarge() async throws {
        let steps: [MisbehavingHTTPServer.Step] = [
            .readRequest, .send(Self.head + "\r\n"), .flood(Array(repeating: 0x61, count: 1 << 16)),
        ]
        try await withCurl(MisbehavingHTTPServer { _ in steps }) { server, client in
            let failure = await client.failure(server.url)
            #expect(failure == HTTPFailure(.tooLarge, "the answer exceeds 1048576 bytes"))
            #expect(await server.reaches(.ended(connection: 0)))
        }
    }

    @Test(
        "where the status is enough, a body over the limit costs the body alone",
        arguments: ["content-length: 999999999", "x: y"])
    func longBodyDropped(length: String) async throws {
        let steps: [MisbehavingHTTPServer.Step] = [
            .readRequest, .send(Self.head + "content-type: text/html\r\n\(length)\r\n\r\n"),
            .flood(Array(repeating: 0x61, count: 1 << 16)),
        ]
        try await withCurl(MisbehavingHTTPServer { _ in steps }) { server, client in
            var request = HTTPRequest(.get, server.url, timeout: .seconds(20))
            request.maximumResponseBytes = 100
            request.dropsLongBody = true
            let response = try await client.send(request)
            #expect(response.status == 200)
            #expect(response.headers["content-type"] == "text/html")
            #expect(response.isBodyDropped)
            #expect(response.body.isEmpty)
            #expect(await server.reaches(.ended(connection: 0)))
        }
    }

    @Test("where the status is enough, headers without end are too large all the same")
    func longHeaders() async throws {
        let steps: [MisbehavingHTTPServer.Step] = [
            .readRequest, .send(Self.head), .flood(Array("x-many: 1234567890\r\n".utf8)),
        ]
        try await withCurl(MisbehavingHTTPServer { _ in steps }) { server, client in
            var request = HTTPRequest(.get, server.url, timeout: .seconds(20))
            request.dropsLongBody = true
            #expect(await client.failure(of: request)?.kind == .tooLarge)
        }
    }

    @Test("a body of exactly the limit is taken")
    func exactlyTheLimit() async throws {
        try await withCurl(MisbehavingHTTPServer(.readRequest, .send(HTTPTestText.ok))) { server, client in
            var request = HTTPRequest(.get, server.url, timeout: .seconds(20))
            request.maximumResponseBytes = 2
            let response = try await client.send(request)
            #expect(response.body.count == 2)
        }
    }

    @Test("headers without end are too large: many short ones, and one long line", arguments: [true, false])
    func headersTooLarge(areMany: Bool) async throws {
        let piece = areMany ? "x-many: 1234567890\r\n" : String(repeating: "y", count: 1 << 16)
        let steps: [MisbehavingHTTPServer.Step] = [.readRequest, .send(Self.head + "x: "), .flood(Array(piece.utf8))]
        try await withCurl(MisbehavingHTTPServer { _ in steps }) { server, client in
            let failure = await client.failure(server.url)
            #expect(failure?.kind == .tooLarge, "\(String(describing: failure))")
        }
    }

    @Test("an answer that is not HTTP is neither a timeout nor an answer")
    func notHTTP() async throws {
        let server = MisbehavingHTTPServer(.readRequest, .send("SSH-2.0-OpenSSH_9.2\r\n\r\n"), .hold)
        try await withCurl(server) { server, client in
            #expect(await client.failure(server.url)?.kind == .other)
        }
    }

    @Test("a server without TLS behind https is a failure of TLS")
    func noTLS() async throws {
        try await withCurl(MisbehavingHTTPServer(.send("HTTP/1.1 400 Bad Request\r\n\r\n"))) { server, client in
            #expect(await client.failure("https://127.0.0.1:\(server.port)/")?.kind == .tls)
        }
    }

    @Test("a name that cannot exist does not resolve")
    func unresolvable() async throws {
        let client = CurlHTTPClient()
        let name = String(repeating: "a", count: 64)
        #expect(await client.failure("http://\(name).invalid/")?.kind == .resolve)
        await client.close()
    }

    @Test(
        "anything but http and https is refused, and the message keeps the URL's secrets",
        arguments: ["file:///etc/passwd?secret", "ftp://user:secret@127.0.0.1/", "http://a b?secret"])
    func otherSchemes(url: String) async throws {
        let client = CurlHTTPClient()
        let failure = try #require(await client.failure(url))
        #expect(failure.kind == .other)
        #expect(!failure.message.isEmpty)
        #expect(!failure.message.contains("secret"))
        await client.close()
    }

    @Test("line breaks in a header or the URL are refused before anything is sent")
    func injection() async throws {
        try await withCurl(MisbehavingHTTPServer(.readRequest, .send(HTTPTestText.ok))) { server, client in
            var request = HTTPRequest(.get, server.url, timeout: .seconds(20))
            request.headers = [("x-token", Secret("a\r\nx-admin: secret"))]
            let failure = try #require(await client.failure(of: request))
            #expect(failure.kind == .other)
            #expect(!failure.message.contains("secret"))
            #expect(await client.failure(server.url + "\r\nx-admin: 1")?.kind == .other)
            #expect(server.connectionCount == 0)
        }
    }

    @Test(
        "messages lose user information, query, fragment, line breaks and everything after 256 bytes",
        arguments: [
            ("no http://u:p@host:1/a?k=v#f here", "no http://host:1/a here"),
            ("https://host?k", "https://host"),
            ("https://host/a@b", "https://host/a@b"),
            ("a\r\nb\u{7f}", "a  b "),
            (String(repeating: "é", count: 200), String(repeating: "é", count: 128)),
        ])
    func cleaned(text: String, expected: String) {
        #expect(CurlMessage.cleaned(text) == expected)
    }
}
