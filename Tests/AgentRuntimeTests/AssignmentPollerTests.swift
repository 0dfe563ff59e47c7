internal import AgentCore
internal import AgentTestKit
internal import Locking
internal import Testing

internal import struct Synchronization.Atomic

@testable internal import AgentRuntime

/// Counts the pauses: each one draws a fraction for its jitter.
private final class PauseCounter: RandomSource {
    private let drawn = Atomic<Int>(0)

    var pauses: Int { drawn.load(ordering: .relaxed) }

    func fraction() -> Double {
        drawn.add(1, ordering: .relaxed)
        return 0
    }

    func identifier() -> String { "id" }
}

@Suite(.timeLimit(.minutes(1))) struct AssignmentPollerTests {
    @Test(
        "A server that ignores If-None-Match is asked with pauses, and what it repeats is told once",
        arguments: [
            AgentRig.assignment(generation: 7), #"{"generation":7,"model":".."}"#, #"{"model":"..","dtype":"int4"}"#,
        ])
    func repeating(body: String) async throws {
        let random = PauseCounter()
        let http = ScriptedHTTPClient { _ async throws(HTTPFailure) in .answer(200, body) }
        let ports = AgentPorts.standIns(http: http, random: random)
        let (inbox, arrivals) = Inbox.make(clocks: SteppingClocks())
        let poller = AssignmentPoller(
            settings: try .sample(), ports: ports, inbox: inbox, outbox: .sample(), wish: PushWish())
        let asked = await withTaskGroup { group in
            group.addTask { await poller.run() }
            var asked = 0
            for await _ in http.requests {
                asked += 1
                if asked == 6 { break }
            }
            group.cancelAll()
            return asked
        }
        #expect(random.pauses >= asked - 2)
        #expect(await told(arrivals, by: inbox) == 1)
    }

    @Test("A control plane that is found again gets its events at once")
    func foundAgain() async throws {
        let answers = Mutex([HTTPResponse.answer(503), .answer(304)])
        let http = ScriptedHTTPClient { _ async throws(HTTPFailure) in
            guard let next = answers.withLock({ $0.isEmpty ? nil : $0.removeFirst() }) else {
                return try await neverAnswers()
            }
            return next
        }
        let (inbox, _) = Inbox.make(clocks: SteppingClocks())
        let outbox = Outbox.sample()
        let poller = AssignmentPoller(
            settings: try .sample(), ports: .standIns(http: http), inbox: inbox, outbox: outbox,
            wish: PushWish())
        await withDiscardingTaskGroup { group in
            group.addTask { await poller.run() }
            // The time limit is what fails this test.
            await outbox.mayTry.wait()
            group.cancelAll()
        }
        #expect(answers.withLock { $0.isEmpty })
    }

    @Test("A control plane that asks to be left alone is left alone")
    func retryAfter() async throws {
        let http = ScriptedHTTPClient { _ async throws(HTTPFailure) in .answer(503, headers: ["retry-after": "1"]) }
        let (inbox, _) = Inbox.make(clocks: SteppingClocks())
        let poller = AssignmentPoller(
            settings: try .sample(), ports: .standIns(http: http), inbox: inbox, outbox: .sample(),
            wish: PushWish())
        let clock = ContinuousClock()
        let start = clock.now
        let asked = await withTaskGroup { group in
            group.addTask { await poller.run() }
            var requests = http.requests.makeAsyncIterator()
            _ = await requests.next()
            _ = await requests.next()
            group.cancelAll()
            return clock.now
        }
        // `CountingRandom` draws zero for the jitter.
        #expect(asked - start >= .seconds(1))
    }

    @Test(
        "An end is announced or taken back by the newest assignment there is, and by nothing else",
        arguments: [
            (ending(7), nil, true), (ending(8), nil, true), (#"{"generation":8,"model":"..","end":null}"#, nil, true),
            (ending(6), nil, false), (AgentRig.assignment(generation: 6), nil, false),
            (#"{"generation":6,"model":"..","end":null}"#, nil, false), (#"{"generation":0,"end":null}"#, nil, false),
            (ending(7), "text/html", false), (String(ending(7).dropLast()) + #","end":null}"#, nil, false),
        ] as [(String, String?, Bool)])
    func ends(second: String, type: String?, isHeard: Bool) async throws {
        let headers = type.map { ["content-type": $0] } ?? [:]
        let answers = Mutex([
            HTTPResponse.answer(200, AgentRig.assignment(generation: 7)), .answer(200, second, headers: headers),
        ])
        let http = ScriptedHTTPClient { _ async throws(HTTPFailure) in
            guard let next = answers.withLock({ $0.isEmpty ? nil : $0.removeFirst() }) else {
                return try await neverAnswers()
            }
            return next
        }
        let (inbox, arrivals) = Inbox.make(clocks: SteppingClocks())
        let poller = AssignmentPoller(
            settings: try .sample(), ports: .standIns(http: http), inbox: inbox, outbox: .sample(), wish: PushWish())
        await withDiscardingTaskGroup { group in
            group.addTask { await poller.run() }
            var requests = http.requests.makeAsyncIterator()
            // The third is asked when the second is understood.
            for _ in 0..<3 { _ = await requests.next() }
            group.cancelAll()
        }
        #expect(await findings(arrivals, by: inbox) == (isHeard ? 2 : 1))
    }

    private static func ending(_ generation: Int) -> String {
        AgentRig.assignment(generation: generation).dropLast() + #","end":{"at":"2026-11-21T23:00:00Z"}}"#
    }

    /// How often an end, or that there is none, was told.
    private func findings(_ arrivals: AsyncStream<Inbox.Arrival>, by inbox: Inbox) async -> Int {
        await count(arrivals, by: inbox) { if case .preemption(.found) = $0 { true } else { false } }
    }

    /// How many assignments, good or bad, were told.
    private func told(_ arrivals: AsyncStream<Inbox.Arrival>, by inbox: Inbox) async -> Int {
        await count(arrivals, by: inbox) { event in
            switch event {
            case .assignmentReceived, .assignmentRejected: true
            default: false
            }
        }
    }

    private func count(
        _ arrivals: AsyncStream<Inbox.Arrival>, by inbox: Inbox, where isCounted: (NodeEvent) -> Bool
    ) async -> Int {
        inbox.send(.stopRequested)
        var count = 0
        for await arrival in arrivals {
            guard case .event(let event) = arrival.matter else { continue }
            if case .stopRequested = event { return count }
            if isCounted(event) { count += 1 }
        }
        return count
    }
}

@Suite struct PollMemoryTests {
    private func received(_ generation: Int64) -> NodeEvent { .assignmentReceived(.sample(generation: generation)) }

    @Test("Replicas that disagree cannot make the agent ask without a pause")
    func replicas() {
        var memory = PollMemory()
        #expect(memory.take(received(2), etag: "\"2\"") == (received(2), true))
        #expect(memory.take(received(1), etag: "\"1\"") == (received(1), false))
        #expect(memory.etag == "\"2\"")
        #expect(memory.take(received(2), etag: "\"2\"") == (nil, false))
    }

    @Test("The same assignment under another ETag is no news, and the next poll has that ETag")
    func anotherETag() {
        var memory = PollMemory()
        _ = memory.take(received(3), etag: "\"3\"")
        #expect(memory.take(received(3), etag: "\"3-end\"") == (nil, false))
        #expect(memory.etag == "\"3-end\"")
    }

    @Test("The ETag of an older generation is never asked with, however often it comes")
    func olderETag() {
        var memory = PollMemory()
        _ = memory.take(received(3), etag: "\"3\"")
        let older = [received(2), received(2), .assignmentRejected(generation: 2, faults: [])]
        for event in older + older { _ = memory.take(event, etag: "\"2\"") }
        #expect(memory.etag == "\"3\"")
    }

    @Test("A generation that says something else than before is refused, and said once")
    func changed() {
        var memory = PollMemory()
        _ = memory.take(received(3), etag: "\"3\"")
        let other = NodeEvent.assignmentReceived(.sample(generation: 3, model: "acme/other"))
        guard case .assignmentRejected(3, let faults)? = memory.take(other, etag: "\"3b\"").event else {
            Issue.record("it was not refused")
            return
        }
        #expect(faults.map(\.field) == ["generation"])
        #expect(memory.take(other, etag: "\"3b\"") == (nil, false))
        #expect(memory.take(received(3), etag: "\"3c\"") == (nil, false))
        #expect(memory.etag == "\"3c\"")
    }

    @Test("A document that was rejected and is mended under its generation is taken")
    func mended() {
        var memory = PollMemory()
        let rejected = NodeEvent.assignmentRejected(generation: 3, faults: [])
        #expect(memory.take(rejected, etag: "\"3\"") == (rejected, false))
        #expect(memory.take(rejected, etag: "\"3\"") == (nil, false))
        #expect(memory.take(received(3), etag: "\"3\"") == (received(3), true))
    }
}
