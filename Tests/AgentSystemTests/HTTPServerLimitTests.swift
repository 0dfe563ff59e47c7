internal import AgentSystem
internal import AgentTestKit
internal import Testing

@Suite("heartbeat server: limits", .timeLimit(.minutes(1)))
struct HTTPServerLimitTests {
    private static let get = "GET / HTTP/1.1\r\nhost: h\r\n\r\n"

    @Test(
        "headers over 16 KiB are answered 431: one line, many lines, a line without end, a long target",
        arguments: 0..<4)
    func headersTooLarge(shape: Int) async throws {
        try await HTTPServerUnderTest.run { server in
            let client = try server.connect()
            let filler = String(repeating: "a", count: 20 << 10)
            let lines = (0..<200).map { "x-\($0): \(String(repeating: "b", count: 100))\r\n" }.joined()
            let texts = [
                "GET / HTTP/1.1\r\nhost: h\r\nx: \(filler)\r\n\r\n", "GET / HTTP/1.1\r\nhost: h\r\n\(lines)\r\n",
                "GET / HTTP/1.1\r\nhost: h\r\nx: \(filler)", "GET /\(filler) HTTP/1.1\r\nhost: h\r\n\r\n",
            ]
            client.send(texts[shape])
            #expect(await client.readToEnd().answerStatus == 431)
            #expect(server.requests == [])
        }
    }

    @Test("headers of 15 KiB are taken")
    func largeHeaders() async throws {
        try await HTTPServerUnderTest.run { server in
            let client = try server.connect()
            client.send("GET / HTTP/1.1\r\nhost: h\r\nx: \(String(repeating: "a", count: 15 << 10))\r\n\r\n")
            #expect(await client.readAnswers(1).first?.answerStatus == 200)
        }
    }

    @Test(
        "a client that does not finish its request, or makes none, is dropped when its time is over",
        arguments: ["", "GET / HT", "GET / HTTP/1.1\r\nhost: h\r\ncontent-length: 9\r\n\r\nabc", get])
    func slow(text: String) async throws {
        var limits = HeartbeatServerLimits()
        limits.idleTimeout = .seconds(1)
        try await HTTPServerUnderTest.run(limits: limits) { server in
            let client = try server.connect()
            client.send(text)
            let answer = await client.readToEnd()
            #expect(answer.answerStatus == (text == Self.get ? 200 : nil))
        }
    }

    @Test("sending a little now and then does not buy time")
    func drippingHeaders() async throws {
        var limits = HeartbeatServerLimits()
        limits.idleTimeout = .milliseconds(300)
        try await HTTPServerUnderTest.run(limits: limits) { server in
            let client = try server.connect()
            let begin = ContinuousClock.now
            client.send("GET / HTTP/1.1\r\nx: ")
            await client.drip("a", everyMilliseconds: 20)
            #expect(ContinuousClock.now - begin < .seconds(10))
            #expect(server.requests == [])
        }
    }

    @Test("where all are at work, the one that has been at it for longest makes room", arguments: ["", "GET /busy HT"])
    func tooMany(said: String) async throws {
        let limits = HeartbeatServerLimits.places(2)
        try await HTTPServerUnderTest.run(limits: limits) { server in
            let oldest = try server.connect()
            let newer = try server.connect()
            for client in [oldest, newer] { client.send(said) }
            let newest = try server.connect()
            newest.send(Self.get)
            #expect(await newest.readAnswers(1).first?.answerStatus == 200)
            #expect(await oldest.readToEnd() == "")
            // The newest is idle now, and so goes before the one that has something to say.
            let next = try server.connect()
            next.send(Self.get)
            #expect(await next.readAnswers(1).first?.answerStatus == 200)
            #expect(await newest.readToEnd() == "")
            newer.send(said.isEmpty ? Self.get : "TP/1.1\r\nhost: h\r\n\r\n")
            #expect(await newer.readAnswers(1).first?.answerStatus == 200)
        }
    }

    @Test("ten connections a place, which ask for much and take nothing, keep nobody out")
    func neverReadingCrowd() async throws {
        let limits = HeartbeatServerLimits.places(4)
        try await HTTPServerUnderTest.run(limits: limits, bodyBytes: 8 << 20) { server in
            var crowd: [RawTCPClient] = []
            for _ in 0..<40 {
                let client = try server.connect()
                client.send(Self.get)
                crowd.append(client)
            }
            let client = try server.connect()
            client.send(Self.get)
            #expect(await client.readAnswers(1).first?.answerStatus == 200)
            for client in crowd.prefix(36) { #expect(await client.isHungUp()) }
        }
    }

    @Test("the connection that has been idle for longest makes room for a new one")
    func idleMakesRoom() async throws {
        let limits = HeartbeatServerLimits.places(2)
        try await HTTPServerUnderTest.run(limits: limits) { server in
            let oldest = try server.connect()
            let newer = try server.connect()
            for client in [oldest, newer] {
                client.send(Self.get)
                #expect(await client.readAnswers(1).count == 1)
            }
            let newest = try server.connect()
            newest.send(Self.get)
            #expect(await newest.readAnswers(1).first?.answerStatus == 200)
            #expect(await oldest.readToEnd() == "")
            newer.send(Self.get)
            #expect(await newer.readAnswers(1).first?.answerStatus == 200)
        }
    }

    @Test("a closed connection gives its place back, 300 times over")
    func placesComeBack() async throws {
        let limits = HeartbeatServerLimits.places(1)
        try await HTTPServerUnderTest.run(limits: limits) { server in
            for _ in 0..<300 {
                let client = try server.connect()
                client.send("GET / HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n")
                #expect(await client.readToEnd().answerStatus == 200)
            }
        }
    }

    @Test("a client that asks and asks and never reads is answered a few times, then dropped")
    func neverReads() async throws {
        var limits = HeartbeatServerLimits()
        limits.idleTimeout = .milliseconds(300)
        try await HTTPServerUnderTest.run(limits: limits, bodyBytes: 8 << 20) { server in
            let client = try server.connect()
            client.sendInBackground(String(repeating: Self.get, count: 20_000))
            #expect(await client.isHungUp())
            // What the kernel takes of the first is all that was made: the second waits for it.
            #expect(server.requests.count <= 2)
        }
    }

    @Test("a large answer arrives in full at a client that takes its time")
    func largeAnswer() async throws {
        try await HTTPServerUnderTest.run(bodyBytes: 8 << 20) { server in
            let client = try server.connect()
            client.send(Self.get + Self.get)
            let answers = await client.readAnswers(2)
            #expect(answers.map { $0.utf8.count > 8 << 20 } == [true, true])
        }
    }
}
