internal import AgentCore
internal import AgentSystem
internal import AgentTestKit
internal import Testing

@Suite("libcurl client: exchanges", .timeLimit(.minutes(1)))
struct CurlHTTPClientTests {
    @Test("an answer comes with its status, lower-case headers and body")
    func answer() async throws {
        let text = "HTTP/1.1 404 Not Found\r\nETag: \"7\"\r\nX-Two: a\r\nx-two:  b \r\nContent-Length: 4\r\n\r\nnone"
        try await withCurl(MisbehavingHTTPServer(.readRequest, .send(text), .hold)) { server, client in
            let before = CurlTestClocks().now()
            let response = try await client.get(server.url)
            #expect(response.status == 404)
            #expect(response.headers == ["etag": "\"7\"", "x-two": "b", "content-length": "4"])
            #expect(response.body == Array("none".utf8))
            #expect(before < response.firstByteAt)
            #expect(response.firstByteAt < CurlTestClocks().now())
        }
    }

    @Test("the first byte is stamped when the status line comes, not when the body ends")
    func firstByte() async throws {
        let server = MisbehavingHTTPServer(
            .readRequest, .send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n"), .waitForRelease, .send("ok"))
        try await withCurl(server) { server, client in
            async let response = client.get(server.url)
            #expect(await server.reaches(.requestRead(connection: 0)))
            // The gate opens only after a whole exchange with another server, which takes its time.
            try await withCurl(MisbehavingHTTPServer(.readRequest, .send(HTTPTestText.ok))) { other, _ in
                _ = try await client.get(other.url)
            }
            let released = CurlTestClocks().now()
            server.release()
            let firstByteAt = try await response.firstByteAt
            #expect(firstByteAt < released)
        }
    }

    @Test("a request goes out with its method, headers, body and user agent, and nothing of libcurl's own")
    func request() async throws {
        try await withCurl(MisbehavingHTTPServer(.readRequest, .send(HTTPTestText.ok))) { server, client in
            var request = HTTPRequest(.post, server.url + "events?x=1", timeout: .seconds(20))
            request.headers = [("authorization", Secret("Bearer t")), ("x-empty", Secret(""))]
            request.body = Array("{}\0é".utf8)
            _ = try await client.send(request)
            let expected = """
                POST /events?x=1 HTTP/1.1\r\nHost: 127.0.0.1:\(server.port)\r\n\
                User-Agent: crosslogic-node-agent/0.0.0-test\r\nAccept: */*\r\nauthorization: Bearer t\r\n\
                x-empty:\r\nContent-Length: 5\r\n\r\n{}\0é
                """
            #expect(server.requests == [expected])
        }
    }

    @Test("a body of two megabytes is sent without waiting for 100 Continue")
    func largeRequest() async throws {
        try await withCurl(MisbehavingHTTPServer(.readRequest, .send(HTTPTestText.ok))) { server, client in
            var request = HTTPRequest(.put, server.url, timeout: .seconds(20))
            request.headers = [("content-type", Secret("text/plain"))]
            request.body = Array(repeating: 0x61, count: 2 << 20)
            _ = try await client.send(request)
            let sent = try #require(server.requests.first)
            #expect(sent.hasPrefix("PUT / HTTP/1.1\r\n"))
            #expect(sent.hasSuffix(String(repeating: "a", count: 2 << 20)))
            #expect(!sent.prefix(500).lowercased().contains("expect:"))
        }
    }

    @Test("POST without a body says so")
    func emptyPost() async throws {
        try await withCurl(MisbehavingHTTPServer(.readRequest, .send(HTTPTestText.ok))) { server, client in
            _ = try await client.send(HTTPRequest(.post, server.url, timeout: .seconds(20)))
            #expect(server.requests.first?.contains("\r\nContent-Length: 0\r\n") == true)
        }
    }

    @Test("an interim 100 Continue is not the answer")
    func interim() async throws {
        let text = "HTTP/1.1 100 Continue\r\nx-interim: 1\r\n\r\n" + HTTPTestText.ok
        try await withCurl(MisbehavingHTTPServer(.readRequest, .send(text))) { server, client in
            let response = try await client.get(server.url)
            #expect(response.status == 200)
            #expect(response.headers == ["content-length": "2"])
        }
    }

    @Test("a chunked body is put together and its trailers are not headers")
    func chunked() async throws {
        let text = """
            HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nx-late: 1\r\n\r\n
            """
        try await withCurl(MisbehavingHTTPServer(.readRequest, .send(text))) { server, client in
            let response = try await client.get(server.url)
            #expect(response.body == Array("abcde".utf8))
            #expect(response.headers == ["transfer-encoding": "chunked"])
        }
    }

    @Test(
        "redirects, server errors and HTML are answers like any other",
        arguments: [
            (302, "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n"),
            (500, "HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n"),
            (200, "HTTP/1.0 200 OK\r\ncontent-type: text/html\r\n\r\n<html>captive portal</html>"),
        ])
    func plainAnswers(expected: Int, text: String) async throws {
        try await withCurl(MisbehavingHTTPServer(.readRequest, .send(text))) { server, client in
            let status = try await client.get(server.url).status
            #expect(status == expected)
            #expect(server.connectionCount == 1)
        }
    }

    @Test("five requests to one server take one connection")
    func keepAlive() async throws {
        let server = MisbehavingHTTPServer(.readRequest, .send(HTTPTestText.ok), .startOver)
        try await withCurl(server) { server, client in
            for _ in 0..<5 { _ = try await client.get(server.url) }
            #expect(server.connectionCount == 1)
            #expect(server.requests.count == 5)
        }
    }

    @Test("a kept connection that the server has closed is replaced, not reported")
    func staleConnection() async throws {
        try await withCurl(MisbehavingHTTPServer(.readRequest, .send(HTTPTestText.ok))) { server, client in
            _ = try await client.get(server.url)
            #expect(await server.reaches(.ended(connection: 0)))
            let status = try await client.get(server.url).status
            #expect(status == 200)
            #expect(server.connectionCount == 2)
        }
    }

    @Test("64 requests are on the wire at one time")
    func parallel() async throws {
        let server = MisbehavingHTTPServer(.readRequest, .waitForRelease, .send(HTTPTestText.ok))
        try await withCurl(server) { server, client in
            try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<64 { group.addTask { try await client.get(server.url).status } }
                var read = 0
                for await fact in server.facts {
                    if case .requestRead = fact { read += 1 }
                    if read == 64 { break }
                }
                server.release()
                for try await status in group { #expect(status == 200) }
            }
        }
    }

    @Test("500 requests on connections of their own leave none behind")
    func noConnectionsLeft() async throws {
        let text = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok"
        // The server holds its ends: only the client's closing ends them.
        try await withCurl(MisbehavingHTTPServer(.readRequest, .send(text), .hold)) { server, client in
            for _ in 0..<500 { _ = try await client.get(server.url) }
            var ended = 0
            for await fact in server.facts {
                if case .ended = fact { ended += 1 }
                if ended == 500 { break }
            }
            #expect(ended == 500)
            #expect(server.connectionCount == 500)
        }
    }

    /// Which four go is libcurl's choice: of connections that were last used in the same millisecond, any.
    @Test("of twelve connections eight are kept, the newest among them, until the client is closed")
    func idleConnections() async throws {
        let servers = (0..<12).map { _ in MisbehavingHTTPServer(.readRequest, .send(HTTPTestText.ok), .hold) }
        defer { for server in servers { server.stop() } }
        let client = CurlHTTPClient()
        for server in servers { _ = try await client.get(server.url) }
        let ended = await withTaskGroup(of: Bool.self) { group in
            for server in servers { group.addTask { await server.reaches(.ended(connection: 0)) } }
            var ended = 0
            while await group.next() == true {
                ended += 1
                if ended == 4 {
                    #expect(servers.reduce(0) { $0 + $1.openConnections } == 8)
                    #expect(servers.last?.openConnections == 1)
                    await client.close()
                }
            }
            return ended
        }
        #expect(ended == 12)
    }
}
