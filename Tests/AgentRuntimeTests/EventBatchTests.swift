internal import AgentCore
internal import AgentTestKit
internal import AgentWire
internal import Locking
internal import Testing

@testable internal import AgentRuntime

@Suite(.timeLimit(.minutes(1))) struct EventBatchTests {
    private let files = InMemoryFileStore()
    private let log = CollectingLog()

    private func delivering(
        _ ids: [String], clocks: (any Clocks)? = nil, _ answer: @escaping ScriptedHTTPClient.Answer
    ) async throws -> (http: ScriptedHTTPClient, outbox: Outbox) {
        let http = ScriptedHTTPClient(answer)
        let outbox = Outbox.sample(files: files, log: log)
        let (inbox, arrivals) = Inbox.make(clocks: SteppingClocks())
        let ports = AgentPorts.standIns(http: http, files: files, log: log)
        let sender = EventSender(
            outbox: outbox, ports: ports, inbox: inbox,
            backoff: Backoff(first: .milliseconds(1), longest: .milliseconds(1)))
        for id in ids { outbox.addSample(id) }
        await withDiscardingTaskGroup { group in
            group.addTask { await sender.run() }
            for await arrival in arrivals {
                if case .event(.eventsDelivered) = arrival.matter, outbox.pending == 0 { break }
            }
            group.cancelAll()
        }
        return (http, outbox)
    }

    private static func results(_ request: HTTPRequest, _ status: (String) -> Int) -> HTTPResponse {
        let rows = request.eventIDs.map { #"{"id":"\#($0)","status":\#(status($0))}"# }
        return .answer(200, #"{"results":[\#(rows.joined(separator: ","))]}"#)
    }

    @Test("What waits goes in one request, in order, as CloudEvents have it")
    func one() async throws {
        let (http, _) = try await delivering(["a", "b", "c"]) { request throws(HTTPFailure) in
            Self.results(request) { _ in 202 }
        }
        #expect(http.asked.map(\.eventIDs) == [["a", "b", "c"]])
        let type = http.asked[0].headers.first { $0.name == "Content-Type" }?.value.reveal()
        #expect(type == "application/cloudevents-batch+json")
        #expect(try files.list("/state/outbox") == ["0000000000000003.acknowledged", "reserve"])
    }

    @Test("One event by itself is no batch")
    func single() async throws {
        let (http, _) = try await delivering(["a"]) { _ throws(HTTPFailure) in .answer(202) }
        #expect(http.asked.map(\.eventIDs) == [["a"]])
        #expect(http.asked[0].headers.first?.value.reveal() == "application/cloudevents+json")
    }

    @Test("Each event has its own answer: taken, set aside, or tried again")
    func mixed() async throws {
        let tries = Mutex(0)
        let (http, outbox) = try await delivering(["a", "b", "c", "d"]) { request throws(HTTPFailure) in
            let isFirst = tries.withLock { count in
                count += 1
                return count == 1
            }
            guard isFirst else {
                return request.eventIDs.count == 1 ? .answer(202) : Self.results(request) { _ in 200 }
            }
            return Self.results(request) { ["a": 202, "b": 422, "c": 503][$0] ?? 200 }
        }
        #expect(http.asked.map(\.eventIDs) == [["a", "b", "c", "d"], ["c"]])
        #expect(outbox.figures.parked == 1)
        #expect(files.text("/state/outbox/parked/0000000000000002.json") != nil)
    }

    @Test(
        "A receiver that knows no batches gets one event at a time from then on",
        arguments: [
            (415, ""), (400, ""), (402, ""), (405, ""), (409, ""), (410, ""), (451, ""),
            (202, ""), (200, #"{"accepted":2}"#), (200, "<html>"), (200, #"{"results":[]}"#),
            (200, #"{"results":[{"id":"x","status":202},{"id":"y","status":202},{"id":"z","status":202}]}"#),
            (200, #"{"results":[{"id":"a"},{"id":"b"},{"id":"c"}]}"#),
        ])
    func foreign(status: Int, body: String) async throws {
        let (http, _) = try await delivering(["a", "b", "c"]) { request throws(HTTPFailure) in
            request.eventIDs.count > 1 ? .answer(status, body) : .answer(202)
        }
        #expect(http.asked.map(\.eventIDs) == [["a", "b", "c"], ["a"], ["b"], ["c"]])
    }

    @Test(
        "Trouble, and a page of somebody in between, say nothing about batches",
        arguments: [(200, "text/html"), (302, nil), (408, nil), (429, nil), (500, nil), (503, nil)] as [(Int, String?)])
    func inBetween(status: Int, type: String?) {
        let headers = type.map { ["content-type": $0] } ?? [:]
        #expect(!EventBatch.isForeign(.answer(status, "<html>", headers: headers)))
    }

    @Test("No more than 64 events and 256 KiB in one request; a large one goes alone")
    func bounds() {
        let event = { (bytes: Int) in
            OutboxEvent(sequence: 1, id: "a", body: [UInt8](repeating: 0x20, count: bytes), kind: nil)
        }
        #expect(EventBatch(Array(repeating: event(10), count: 100)).events.count == 64)
        let batch = EventBatch(Array(repeating: event(100_000), count: 5))
        #expect(batch.events.count == 2)
        #expect(batch.body.count <= 256 << 10)
        #expect(EventBatch([event(300_000), event(10)]).events.count == 1)
    }

    @Test(
        "What a server asks for is heeded, within reason",
        arguments: [
            ("3", nil, 3.0), ("0", nil, 0), ("-5", nil, 0), ("99999999999", nil, 300), ("soon", nil, nil),
            ("99999999999999999999999", nil, 300), ("1.5", nil, nil),
            ("Mon, 19 Sep 2016 18:29:47 GMT", "Mon, 19 Sep 2016 18:29:17 GMT", 30),
            ("Mon, 19 Sep 2016 18:00:00 GMT", "Mon, 19 Sep 2016 18:29:17 GMT", 0),
            ("Mon, 19 Sep 2016 18:29:47 GMT", nil, nil),
        ] as [(String, String?, Double?)])
    func retryAfter(text: String, date: String?, seconds: Double?) {
        var headers = ["retry-after": text]
        headers["date"] = date
        #expect(RetryAfter.of(.answer(503, headers: headers)) == seconds.map { .seconds($0) })
        #expect(RetryAfter.of(.answer(503)) == nil)
    }
}

extension HTTPRequest {
    /// Of the events in it.
    var eventIDs: [String] {
        guard let document = try? JSONValue.parse(body ?? []) else { return [] }
        return (document.arrayValue ?? [document]).compactMap { $0["id"]?.stringValue }
    }
}
