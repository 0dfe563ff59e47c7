internal import AgentSystem
internal import AgentTestKit
internal import Testing

@Suite("heartbeat server: exchanges", .timeLimit(.minutes(1)))
struct HTTPServerTests {
    @Test("a request reaches the handler in parts, and the reply the client with its length and date")
    func exchange() async throws {
        try await HTTPServerUnderTest.run { server in
            let client = try server.connect()
            client.send("GET /v1/heartbeat?after=3&x HTTP/1.1\r\nHost: node\r\nAuthorization: Bearer a\r\nx: y\r\n\r\n")
            let answer = try #require(await client.readAnswers(1).first)
            #expect(answer.answerStatus == 200)
            #expect(answer.answerHeader("content-length") == "13")
            #expect(answer.answerHeader("content-type") == "text/plain")
            #expect(answer.answerHeader("date")?.hasSuffix(" GMT") == true)
            #expect(answer.answerHeader("connection") == nil)
            #expect(answer.hasSuffix("\r\n\r\n/v1/heartbeat"))
            let expected = ServerRequest(method: .get, path: "/v1/heartbeat", authorization: "Bearer a")
            #expect(server.requests == [expected])
        }
    }

    @Test("one connection serves request after request")
    func keepAlive() async throws {
        try await HTTPServerUnderTest.run { server in
            let client = try server.connect()
            for number in 0..<5 {
                client.send("GET /\(number) HTTP/1.1\r\nhost: h\r\n\r\n")
                let answer = try #require(await client.readAnswers(1).first)
                #expect(answer.hasSuffix("\r\n\r\n/\(number)"))
            }
        }
    }

    @Test("requests sent without waiting are answered in their order, far more than one read holds")
    func pipelining() async throws {
        try await HTTPServerUnderTest.run { server in
            let client = try server.connect()
            client.sendInBackground((0..<2000).map { "GET /\($0) HTTP/1.1\r\nhost: h\r\n\r\n" }.joined())
            let answers = await client.readAnswers(2000)
            #expect(answers.count == 2000)
            let isOrdered = answers.enumerated().allSatisfy { $1.hasSuffix("\r\n\r\n/\($0)") }
            #expect(isOrdered)
        }
    }

    @Test("a request may come byte by byte")
    func bytewise() async throws {
        try await HTTPServerUnderTest.run { server in
            let client = try server.connect()
            for character in "GET /slow HTTP/1.1\r\nhost: h\r\n\r\n" { client.send(String(character)) }
            #expect(await client.readAnswers(1).first?.hasSuffix("/slow") == true)
        }
    }

    @Test("HEAD gets the headers of GET and no body, and the connection goes on")
    func head() async throws {
        try await HTTPServerUnderTest.run { server in
            let client = try server.connect()
            client.send("HEAD /abc HTTP/1.1\r\nhost: h\r\n\r\nGET /next HTTP/1.1\r\nhost: h\r\n\r\n")
            let head = await client.readHead()
            #expect(head.answerHeader("content-length") == "4")
            #expect(head.answerHeader("x-method") == "HEAD")
            #expect(await client.readAnswers(1).first?.hasSuffix("\r\n\r\n/next") == true)
        }
    }

    @Test(
        "the connection ends after the answer where the client wants or needs it",
        arguments: [
            "GET / HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n", "GET / HTTP/1.0\r\n\r\n",
            "GET / HTTP/1.1\r\nhost: h\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
        ])
    func lastRequest(text: String) async throws {
        try await HTTPServerUnderTest.run { server in
            let client = try server.connect()
            client.send(text)
            let answer = await client.readToEnd()
            #expect(answer.answerStatus == 200)
            #expect(answer.answerHeader("connection") == "close")
        }
    }

    @Test("a small body is dropped and the next request is found behind it")
    func smallBody() async throws {
        try await HTTPServerUnderTest.run { server in
            let client = try server.connect()
            client.send("GET /a HTTP/1.1\r\nhost: h\r\ncontent-length: 5\r\n\r\nGET /")
            client.send("GET /b HTTP/1.1\r\nhost: h\r\n\r\n")
            let answers = await client.readAnswers(2)
            #expect(answers.map(\.answerStatus) == [200, 200])
            #expect(server.requests.map(\.path) == ["/a", "/b"])
        }
    }

    @Test(
        "what is not a plain GET or HEAD is refused with a problem, and the connection ends",
        arguments: [
            ("POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 3\r\n\r\nabc", 405),
            ("DELETE /v1/heartbeat HTTP/1.1\r\nhost: h\r\n\r\n", 405),
            ("CONNECT h:1 HTTP/1.1\r\nhost: h\r\n\r\n", 405),
            ("OPTIONS * HTTP/1.1\r\nhost: h\r\n\r\n", 405),
            ("GET / HTTP/1.1\r\nhost: h\r\ncontent-length: 4097\r\n\r\n", 413),
            ("GET / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n1001\r\n", 413),
            ("GET / HTTP/1.1\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nhost: h\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n", 400),
            ("GET / HTTP/1.1\r\nhost h\r\n\r\n", 400),
            ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
            ("\u{16}\u{3}\u{1}\u{2}\r\n\r\n", 400),
        ])
    func refused(text: String, status: Int) async throws {
        try await HTTPServerUnderTest.run { server in
            let client = try server.connect()
            // More than the limit of a body, so that a chunked one exceeds it.
            client.send(text + String(repeating: "z", count: text.contains("1001") ? 4097 : 0))
            let answer = await client.readToEnd()
            #expect(answer.answerStatus == status)
            #expect(answer.answerHeader("connection") == "close")
            #expect(answer.answerHeader("content-type") == "application/problem+json")
            #expect(answer.answerHeader("allow") == (status == 405 ? "GET, HEAD" : nil))
            #expect(answer.contains("\"status\":\(status)"))
            #expect(server.requests == [])
        }
    }

    @Test("requests ahead of a bad one are answered before it")
    func goodThenBad() async throws {
        try await HTTPServerUnderTest.run { server in
            let client = try server.connect()
            client.send("GET /a HTTP/1.1\r\nhost: h\r\n\r\nnonsense\r\n\r\nGET /b HTTP/1.1\r\nhost: h\r\n\r\n")
            let answers = await client.readAnswers(3)
            #expect(answers.map(\.answerStatus) == [200, 400])
        }
    }

    @Test("a refused client that goes on sending gets its answer and an orderly end, not a reset")
    func lingering() async throws {
        try await HTTPServerUnderTest.run { server in
            let client = try server.connect()
            let body = String(repeating: "z", count: 1 << 20)
            client.sendInBackground("POST / HTTP/1.1\r\nhost: h\r\ncontent-length: \(1 << 20)\r\n\r\n" + body)
            #expect(await client.readToEnd().answerStatus == 405)
            #expect(!client.wasReset)
        }
    }

    @Test("a client that has said all it will say gets its answer")
    func halfClosed() async throws {
        try await HTTPServerUnderTest.run { server in
            let client = try server.connect()
            client.send("GET /last HTTP/1.1\r\nhost: h\r\n\r\n")
            client.finishSending()
            #expect(await client.readToEnd().hasSuffix("/last"))
        }
    }

    @Test("a target may name scheme and authority", arguments: ["http://h/x/y?q", "http://h:9400/x/y?q"])
    func absoluteForm(target: String) async throws {
        try await HTTPServerUnderTest.run { server in
            let client = try server.connect()
            client.send("GET \(target) HTTP/1.1\r\nhost: h\r\n\r\n")
            _ = await client.readAnswers(1)
            #expect(server.requests.map(\.path) == ["/x/y"])
        }
    }
}
