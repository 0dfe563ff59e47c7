internal import AgentCore
internal import AgentTestKit
internal import AgentWire
internal import Locking
internal import Testing

@testable internal import AgentRuntime

@Suite(.timeLimit(.minutes(1))) struct EventSenderTests {
    let files = InMemoryFileStore()
    let log = CollectingLog()

    /// Runs a sender over the outbox while `body` runs.
    func sending<Result: Sendable>(
        _ outbox: Outbox, _ http: ScriptedHTTPClient, random: any RandomSource = CountingRandom(),
        backoff: Backoff = Backoff(first: .seconds(1), longest: .seconds(1)),
        patience: Duration = .seconds(3600), deferredRetry: Duration = .seconds(300), _ body: () async throws -> Result
    ) async throws -> Result {
        let (inbox, _) = Inbox.make(clocks: SteppingClocks())
        let ports = AgentPorts.standIns(http: http, files: files, random: random, log: log)
        var sender = EventSender(outbox: outbox, ports: ports, inbox: inbox, backoff: backoff, patience: patience)
        sender.deferredRetry = deferredRetry
        return try await withThrowingDiscardingTaskGroup { group in
            group.addTask { [sender] in await sender.run() }
            let result = try await body()
            group.cancelAll()
            return result
        }
    }

    func ids(_ requests: AsyncStream<HTTPRequest>, _ count: Int) async -> [String] {
        var ids: [String] = []
        for await request in requests {
            ids.append(request.id)
            if ids.count == count { break }
        }
        return ids
    }

    @Test("A receiver that hangs keeps no event off the disk")
    func storesWhileBlocked() async throws {
        let http = ScriptedHTTPClient { _ async throws(HTTPFailure) in try await neverAnswers() }
        let outbox = Outbox.sample(files: files, log: log)
        try await sending(outbox, http) {
            outbox.addSample("a")
            #expect(await http.requests.first { _ in true } != nil)
            for id in ["b", "c"] { outbox.addSample(id) }
            #expect(await files.writes.first { $0.hasSuffix("0000000000000003.json") } != nil)
        }
        let next = Outbox.sample(files: files, log: log)
        await next.recover()
        #expect(next.pending == 3)
    }

    @Test("An agent that leaves tries at once and often, however long the pause was to be")
    func leaving() async throws {
        let http = ScriptedHTTPClient { _ async throws(HTTPFailure) in .answer(503) }
        let outbox = Outbox.sample(files: files, log: log)
        let hour = Backoff(first: .seconds(3600), longest: .seconds(3600))
        try await sending(outbox, http, random: HalfPause(), backoff: hour) {
            outbox.addSample("a")
            #expect(await ids(http.requests, 1) == ["a"])
            outbox.leave()
            #expect(await ids(http.requests, 2) == ["a", "a"])
        }
    }

    @Test("Trouble with the receiver is said once with its reason, and once that it is over")
    func saysTrouble() async throws {
        let answers = Mutex([503, 500, 202, 202])
        let http = ScriptedHTTPClient { _ async throws(HTTPFailure) in
            .answer(answers.withLock { $0.count > 1 ? $0.removeFirst() : $0[0] })
        }
        let outbox = Outbox.sample(files: files, log: log)
        try await sending(outbox, http) {
            outbox.addSample("a")
            #expect(await ids(http.requests, 3) == ["a", "a", "a"])
            outbox.addSample("b")
            #expect(await ids(http.requests, 1) == ["b"])
        }
        #expect(log.lines == ["events are not delivered: answered 503; trying again", "events are delivered again"])
    }

    @Test("An answer that is longer than anybody reads it takes the event by its status, and is said once")
    func longAnswers() async throws {
        let http = ScriptedHTTPClient { _ async throws(HTTPFailure) in
            var answer = HTTPResponse.answer(202)
            answer.isBodyDropped = true
            return answer
        }
        let outbox = Outbox.sample(files: files, log: log)
        try await sending(outbox, http) {
            for id in ["a", "b"] {
                outbox.addSample(id)
                #expect(await ids(http.requests, 1) == [id])
                while outbox.pending > 0 { await Task.yield() }
            }
        }
        #expect(http.asked.map(\.dropsLongBody) == [true, true])
        #expect(log.lines == ["answers to events are longer than 65536 bytes; only their status is read"])
    }

    @Test("An event that its receiver answers with trouble for an hour, while it takes others, is passed over")
    func passedOver() async throws {
        let http = ScriptedHTTPClient { request async throws(HTTPFailure) in .answer(request.id == "a" ? 500 : 202) }
        let outbox = Outbox.sample(files: files, log: log)
        let backoff = Backoff(first: .milliseconds(1), longest: .milliseconds(1))
        try await sending(outbox, http, backoff: backoff, patience: .milliseconds(5)) {
            outbox.follow(.elsewhere)
            for id in ["a", "b"] { outbox.addSample(id) }
            while outbox.figures.parked < 1 { await Task.yield() }
        }
        #expect(http.asked.map(\.id).suffix(3) == ["a", "b", "a"])
        #expect(outbox.events == [])
    }

    @Test("A receiver in trouble loses no event, however long that takes")
    func notPassedOver() async throws {
        let isWell = Mutex(false)
        let http = ScriptedHTTPClient { _ async throws(HTTPFailure) in .answer(isWell.withLock { $0 } ? 202 : 500) }
        let outbox = Outbox.sample(files: files, log: log)
        let backoff = Backoff(first: .milliseconds(1), longest: .milliseconds(1))
        try await sending(outbox, http, backoff: backoff, patience: .milliseconds(5)) {
            outbox.follow(.elsewhere)
            for id in ["a", "b"] { outbox.addSample(id) }
            while http.asked.count(where: { $0.id == "b" }) < 3 { await Task.yield() }
            #expect(outbox.events.map(\.id) == ["a", "b"])
            isWell.withLock { $0 = true }
            while !outbox.events.isEmpty { await Task.yield() }
        }
        #expect(outbox.figures.parked == 0)
    }

    @Test("An event that is refused on a full disk is sent once")
    func refusedOnFullDisk() async throws {
        files.setFull(true)
        let http = ScriptedHTTPClient { request async throws(HTTPFailure) in
            request.id == "a" ? .answer(400) : .answer(202)
        }
        let outbox = Outbox.sample(files: files, log: log)
        try await sending(outbox, http) {
            for id in ["a", "b", "c"] { outbox.addSample(id) }
            // The batch comes first; this receiver knows none.
            #expect(await ids(http.requests, 4) == ["", "a", "b", "c"])
        }
    }

    @Test("After a restart a callback's events wait for the assignment that has its secret")
    func recoveredForCallback() async throws {
        var assignment = Assignment.sample()
        assignment.callbackURL = "http://callback.test/"
        assignment.callbackSecret = Secret("signing")
        let first = Outbox.sample(files: files, log: log)
        first.follow(assignment)
        first.addSample("a")
        await first.storeAll()
        #expect(files.text("/state/outbox/0000000000000001.json")?.contains("signing") == false)

        let http = ScriptedHTTPClient { _ async throws(HTTPFailure) in .answer(202) }
        let second = Outbox.sample(files: files, log: log)
        await second.recover()
        try await sending(second, http) {
            #expect(await log.told.first { $0.contains("wait for the assignment") } != nil)
            second.follow(assignment)
            let request = try #require(await http.requests.first { _ in true })
            #expect(request.url == "http://callback.test/")
            #expect(request.headers.contains { $0.name == "webhook-signature" })
            #expect(!request.headers.contains { $0.name == "Authorization" })
        }
    }
}

extension Assignment {
    /// With a callback that knows no batches.
    static let elsewhere: Assignment = {
        var assignment = Assignment.sample()
        assignment.callbackURL = "http://callback.test/"
        return assignment
    }()
}

private struct HalfPause: RandomSource {
    func fraction() -> Double { 0.5 }
    func identifier() -> String { "id" }
}

extension HTTPRequest {
    var id: String { (try? JSONValue.parse(body ?? []))?["id"]?.stringValue ?? "" }
}
