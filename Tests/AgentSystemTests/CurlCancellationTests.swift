internal import AgentCore
internal import AgentTestKit
internal import Testing

@testable internal import AgentSystem

@Suite("libcurl client: cancellation and closing", .timeLimit(.minutes(1)))
struct CurlCancellationTests {
    @Test("cancelling the task ends the request at once and takes the connection down")
    func cancelled() async throws {
        try await withCurl(MisbehavingHTTPServer(.readRequest, .hold)) { server, client in
            await withTaskGroup(of: HTTPFailure?.self) { group in
                group.addTask { await client.failure(server.url, timeout: .seconds(3600)) }
                #expect(await server.reaches(.requestRead(connection: 0)))
                group.cancelAll()
                #expect(await group.next()??.kind == .cancelled)
            }
            #expect(await server.reaches(.ended(connection: 0)))
        }
    }

    @Test("a request in a task that is already cancelled ends alike and sends nothing")
    func cancelledBefore() async throws {
        try await withCurl(MisbehavingHTTPServer(.readRequest, .send(HTTPTestText.ok))) { server, client in
            await withTaskGroup(of: HTTPFailure?.self) { group in
                group.cancelAll()
                group.addTask { await client.failure(server.url) }
                #expect(await group.next()??.kind == .cancelled)
            }
            let status = try await client.get(server.url).status
            #expect(status == 200)
            #expect(server.connectionCount == 1)
        }
    }

    @Test("cancelling one request leaves the others alone")
    func cancelOne() async throws {
        let server = MisbehavingHTTPServer(.readRequest, .waitForRelease, .send(HTTPTestText.ok))
        try await withCurl(server) { server, client in
            async let kept = client.get(server.url)
            #expect(await server.reaches(.requestRead(connection: 0)))
            await withTaskGroup(of: HTTPFailure?.self) { group in
                group.addTask { await client.failure(server.url) }
                #expect(await server.reaches(.requestRead(connection: 1)))
                group.cancelAll()
                #expect(await group.next()??.kind == .cancelled)
            }
            server.release()
            let status = try await kept.status
            #expect(status == 200)
        }
    }

    @Test("cancellations at any moment of 300 requests lose no caller")
    func cancelAnytime() async throws {
        let server = MisbehavingHTTPServer(.readRequest, .send(HTTPTestText.ok), .startOver)
        try await withCurl(server) { server, client in
            for round in 0..<10 {
                await withTaskGroup(of: HTTPFailure?.self) { group in
                    for _ in 0..<30 { group.addTask { await client.failure(server.url) } }
                    // The end of some answers is the moment at which the rest is cancelled.
                    for _ in 0..<round { _ = await group.next() }
                    group.cancelAll()
                    for await failure in group { #expect(failure == nil || failure?.kind == .cancelled) }
                }
            }
            let status = try await client.get(server.url).status
            #expect(status == 200)
        }
    }

    @Test("closing fails outstanding and later requests, and may be repeated")
    func close() async throws {
        let server = MisbehavingHTTPServer(.readRequest, .hold)
        try await withCurl(server) { server, client in
            async let outstanding = client.failure(server.url)
            #expect(await server.reaches(.requestRead(connection: 0)))
            async let first: Void = client.close()
            async let second: Void = client.close()
            #expect(await outstanding?.kind == .cancelled)
            _ = await (first, second)
            #expect(await client.failure(server.url)?.kind == .cancelled)
            #expect(await server.reaches(.ended(connection: 0)))
        }
    }

    @Test("a client that was never used closes, and stays closed")
    func closeUnused() async {
        let client = CurlHTTPClient()
        await client.close()
        #expect(await client.failure("http://127.0.0.1:1/")?.kind == .cancelled)
    }

    @Test("a client that is dropped without closing lets go of its connections")
    func dropped() async throws {
        let server = MisbehavingHTTPServer(.readRequest, .send(HTTPTestText.ok), .hold)
        defer { server.stop() }
        func useOnce() async throws { _ = try await CurlHTTPClient().get(server.url) }
        try await useOnce()
        #expect(await server.reaches(.ended(connection: 0)))
    }

    @Test("after its thread broke down, the next request starts another")
    func breakdown() {
        var inbox = CurlInbox<Int>()
        let exchange = CurlExchange(HTTPRequest(.get, "http://127.0.0.1/", timeout: .seconds(1)))
        #expect(inbox.submit(exchange) == .startThread)
        #expect(inbox.submit(exchange) == .wakeThread)
        #expect(inbox.threadEnded().unanswered.count == 2)
        #expect(inbox.submit(exchange) == .startThread)
        #expect(inbox.close(1) == .wakeThread)
        #expect(inbox.close(2) == .wait)
        #expect(inbox.submit(exchange) == .refuse)
        #expect(inbox.takeWork().isClosing)
        #expect(inbox.threadEnded().closeWaiters == [1, 2])
        #expect(inbox.close(3) == .resumeNow)
    }
}
