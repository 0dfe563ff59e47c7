internal import AgentCore
internal import AgentTestKit
internal import AgentWire
internal import Locking
internal import Testing

@testable internal import AgentRuntime

@Suite(.timeLimit(.minutes(1))) struct EventSenderTests {
    private let files = InMemoryFileStore()
    private let log = CollectingLog()

    /// Runs a sender over the outbox while `body` runs.
    private func sending<Result: Sendable>(
        _ outbox: Outbox, _ http: ScriptedHTTPClient, random: any RandomSource = CountingRandom(),
        backoff: Backoff = Backoff(first: .seconds(1), longest: .seconds(1)),
        patience: Duration = .seconds(3600), _ body: () async throws -> Result
    ) async throws -> Result {
        let (inbox, _) = Inbox.make(clocks: SteppingClocks())
        let ports = AgentPorts.standIns(http: http, files: files, random: random, log: log)
        let sender = EventSender(outbox: outbox, ports: ports, inbox: inbox, backoff: backoff, patience: patience)
        return try await withThrowingDiscardingTaskGroup { group in
            group.addTask { await sender.run() }
            let result = try await body()
            group.cancelAll()
            return result
        }
    }

    private func ids(_ requests: AsyncStream<HTTPRequest>, _ count: Int) async -> [String] {
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

    @Test(
        "While this node is not let in, events are kept and said once; then all are delivered, in order",
        arguments: [401, 403, 404])
    func notLetIn(status: Int) async throws {
        let answer = Mutex(status)
        let http = ScriptedHTTPClient { _ async throws(HTTPFailure) in .answer(answer.withLock { $0 }) }
        let outbox = Outbox.sample(files: files, log: log)
        try await sending(outbox, http) {
            // A firewall's 403 may mean the one event: the others are tried by themselves.
            let next = status == 403 ? [("b", ["a", "b"]), ("c", ["a", "c"])] : [("b", [""]), ("c", [""])]
            for (id, asked) in [("a", ["a"])] + next {
                outbox.addSample(id)
                #expect(await ids(http.requests, asked.count) == asked)
                while outbox.pending > 0 { await Task.yield() }
            }
            while outbox.figures.parked < 3 { await Task.yield() }
            #expect(outbox.pending == 0)
            answer.withLock { $0 = 202 }
            // As the poller does when it is answered again. More than one waits: the batch comes first.
            outbox.retryDeferred()
            #expect(await ids(http.requests, 4) == ["", "a", "b", "c"])
            while outbox.figures.parked > 0 { await Task.yield() }
        }
        #expect(
            log.lines == [
                "events are refused with status \(status); they are kept until this node is let in again",
                "events are delivered again",
            ])
    }

    @Test(
        "However often this node is shut out meanwhile, no event overtakes another",
        arguments: [401, 404], [true, false])
    func nothingOvertakes(status: Int, asBatches: Bool) async throws {
        let taken = Mutex<[String]>([])
        let turns = Mutex(0)
        let http = ScriptedHTTPClient { request async throws(HTTPFailure) in
            let isLetIn = turns.withLock { turn in
                turn += 1
                return turn % 3 == 0
            }
            guard isLetIn else { return .answer(status) }
            let (ids, isBatch) = (request.eventIDs, request.id.isEmpty)
            if isBatch, !asBatches { return .answer(415) }
            taken.withLock { $0 += ids }
            let results = ids.map { #"{"id":"\#($0)","status":202}"# }.joined(separator: ",")
            return .answer(isBatch ? 200 : 202, #"{"results":[\#(results)]}"#)
        }
        let outbox = Outbox.sample(files: files, log: log)
        let all = (1...40).map { "e\($0)" }
        try await sending(outbox, http) {
            for id in all {
                outbox.addSample(id)
                await Task.yield()
            }
            while taken.withLock({ $0.count }) < all.count {
                outbox.retryDeferred()
                await Task.yield()
            }
        }
        #expect(taken.withLock { $0 } == all)
    }

    @Test("Two receivers that let nobody in are asked once for each event, and not for ever")
    func bothShut() async throws {
        let http = ScriptedHTTPClient { _ async throws(HTTPFailure) in .answer(401) }
        let outbox = Outbox.sample(files: files, log: log)
        let all = ["a", "b", "c", "d", "e", "f"]
        try await sending(outbox, http) {
            for (number, id) in all.enumerated() {
                if number == 2 { outbox.follow(.elsewhere) }
                outbox.addSample(id)
                while outbox.figures.parked <= number { await Task.yield() }
            }
            outbox.retryDeferred()
            while outbox.pending > 0 { await Task.yield() }
        }
        #expect(http.asked.count < 4 * all.count)
        #expect(outbox.figures.parked == all.count)
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

    @Test("What was refused for want of a token is there for the next agent, which may have one")
    func deferredOverRestart() async throws {
        let http = ScriptedHTTPClient { _ async throws(HTTPFailure) in .answer(401) }
        let outbox = Outbox.sample(files: files, log: log)
        try await sending(outbox, http) {
            outbox.addSample("a")
            while outbox.figures.parked < 1 { await Task.yield() }
        }
        let next = Outbox.sample(files: files, log: log)
        await next.recover()
        #expect(next.first?.id == "a")
    }

    @Test("One that alone is not let in is tried with each that follows it, and holds up none")
    func deferredAlone() async throws {
        let http = ScriptedHTTPClient { request async throws(HTTPFailure) in .answer(request.id == "a" ? 403 : 202) }
        let outbox = Outbox.sample(files: files, log: log)
        try await sending(outbox, http) {
            for (id, then) in [("a", ["a"]), ("b", ["a", "b", "a"]), ("c", ["a", "c", "a"])] {
                outbox.addSample(id)
                #expect(await ids(http.requests, then.count) == then)
            }
        }
        #expect(outbox.figures.parked == 1)
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
    fileprivate static let elsewhere: Assignment = {
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
    fileprivate var id: String { (try? JSONValue.parse(body ?? []))?["id"]?.stringValue ?? "" }
}
