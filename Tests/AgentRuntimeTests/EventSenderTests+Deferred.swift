internal import AgentCore
internal import AgentTestKit
internal import AgentWire
internal import Locking
internal import Testing

@testable internal import AgentRuntime

// What is refused as things are, and tried again when they may have changed.
extension EventSenderTests {
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

    @Test("What was refused as things were is tried again though nothing happens", arguments: [401, 403, 404])
    func deferredOnQuietNode(status: Int) async throws {
        let refusals = Mutex(2)
        let http = ScriptedHTTPClient { _ async throws(HTTPFailure) in
            let isRefused = refusals.withLock { left in
                left -= 1
                return left >= 0
            }
            return .answer(isRefused ? status : 202)
        }
        let outbox = Outbox.sample(files: files, log: log)
        try await sending(outbox, http, deferredRetry: .milliseconds(5)) {
            outbox.addSample("a")
            #expect(await ids(http.requests, 3) == ["a", "a", "a"])
            while !outbox.events.isEmpty { await Task.yield() }
        }
    }
}
