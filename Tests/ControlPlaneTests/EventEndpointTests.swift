internal import AgentWire
internal import ControlPlane
internal import HTTPTypes
internal import Testing

@Suite("The event endpoint")
struct EventEndpointTests {
    private let folder: TemporaryFolder
    private let controlPlane: TestControlPlane

    init() throws {
        folder = try TemporaryFolder()
        controlPlane = try TestControlPlane(in: folder)
    }

    private static func counts(_ answer: Answer) -> [Int64?] {
        [answer.json["accepted"]?.integerValue, answer.json["duplicates"]?.integerValue]
    }

    private static let batchType = "application/cloudevents-batch+json"

    @Test("takes an event any number of times and keeps it once")
    func idempotent() async throws {
        try await controlPlane.withRouter { client in
            let node = try await client.create()
            let event = Event.json(1, of: node.id)
            let first = try await client.report(event, as: node)
            #expect(first.status == 202)
            #expect(Self.counts(first) == [1, 0])
            #expect(Self.counts(try await client.report(event, as: node, type: "application/json")) == [0, 1])
            #expect(try await client.send(.get, node.path).json["events"] == .integer(1))
        }
    }

    @Test("takes the same id from two nodes")
    func sameIDFromTwoNodes() async throws {
        try await controlPlane.withRouter { client in
            for _ in 0..<2 {
                let node = try await client.create()
                #expect(Self.counts(try await client.report(Event.json(1, of: node.id), as: node)) == [1, 0])
            }
        }
    }

    @Test("shows a node as its newest event has it, in whatever order they come")
    func outOfOrder() async throws {
        try await controlPlane.withRouter { client in
            let node = try await client.create()
            let timings = #","phase":"ready_acked","timings":{"assignment_to_ready_s":41.5},"timeline":[{"at_s":1.25}]"#
            _ = try await client.report(
                Event.json(4, of: node.id, type: "ready", state: "serving", data: timings), as: node)
            _ = try await client.report(
                Event.json(2, of: node.id, type: "failed", state: "failed", data: #","failure":{"class":"oom"}"#),
                as: node)
            let view = try await client.send(.get, node.path).json
            #expect(view["state"] == .string("serving"))
            #expect(view["phase"] == .string("ready_acked"))
            #expect(view["startup_s"] == .number(41.5))
            #expect(view["timeline"]?.arrayValue?.first?["at_s"] == .number(1.25))
            #expect(view["failure"] == .null)
            #expect(view["events"] == .integer(2))
            #expect(view["last_event_at"]?.stringValue?.hasSuffix("Z") == true)

            _ = try await client.report(Event.json(5, of: node.id, type: "draining", state: "draining"), as: node)
            let later = try await client.send(.get, node.path).json
            #expect(later["state"] == .string("draining"))
            #expect(later["startup_s"] == .number(41.5))
        }
    }

    @Test("takes a late event for history: it neither makes a node leave nor come back")
    func lateWords() async throws {
        try await controlPlane.withRouter { client in
            let node = try await client.create()
            func status() async throws -> JSONValue? {
                try await client.send(.get, node.path).json["liveness"]?["status"]
            }
            _ = try await client.report(Event.json(3, of: node.id, state: "serving"), as: node)
            _ = try await client.report(Event.json(1, of: node.id, type: "stopped", state: "stopped"), as: node)
            #expect(try await status() == .string("alive"))
            let last = Event.json(4, of: node.id, type: "stopped", state: "stopped")
            _ = try await client.report(last, as: node)
            #expect(try await status() == .string("left"))
            _ = try await client.report(Event.json(2, of: node.id, state: "serving"), as: node)
            #expect(try await status() == .string("left"))
            // As after an answer that was lost.
            _ = try await client.report(last, as: node)
            #expect(try await status() == .string("left"))
        }
    }

    @Test("shows the gaps in the sequence until they are filled")
    func gaps() async throws {
        try await controlPlane.withRouter { client in
            let node = try await client.create()
            for sequence in [2, 5, 9] { _ = try await client.report(Event.json(sequence, of: node.id), as: node) }
            let gaps = try await client.send(.get, node.path).json["sequence_gaps"]
            let expected = #"[{"from":1,"to":1},{"from":3,"to":4},{"from":6,"to":8}]"#
            #expect(gaps == (try JSONValue.parse(Array(expected.utf8))))
            for sequence in [1, 3, 4, 6, 7, 8] {
                _ = try await client.report(Event.json(sequence, of: node.id), as: node)
            }
            #expect(try await client.send(.get, node.path).json["sequence_gaps"] == .array([]))
        }
    }

    private static func statuses(_ answer: Answer) -> [JSONValue?] {
        answer.json["results"]?.arrayValue?.map { $0["status"] } ?? []
    }

    @Test("says of each event of a batch what became of it, in order")
    func batch() async throws {
        try await controlPlane.withRouter { client in
            let node = try await client.create()
            let good = (1...3).map { Event.json($0, of: node.id) }
            let answer = try await client.report(
                "[\(good[0]),\(Event.json(2, of: "node-other")),\(good[2])]", as: node, type: Self.batchType)
            #expect(answer.status == 200)
            #expect(Self.statuses(answer) == [.integer(202), .integer(422), .integer(202)])
            let results = answer.json["results"]?.arrayValue ?? []
            #expect(results.map { $0["id"] } == [.string("event-1"), .string("event-2"), .string("event-3")])
            #expect(
                results[1]["errors"]?.arrayValue?.map { $0["field"] } == [.string("source"), .string("data.node_id")])
            #expect(try await client.send(.get, node.path).json["events"] == .integer(2))

            let body = "[\(good.joined(separator: ","))]"
            let again = try await client.report(body, as: node, type: Self.batchType)
            #expect(Self.statuses(again) == [.integer(200), .integer(202), .integer(200)])
            #expect(try await client.report("[]", as: node, type: Self.batchType).json["results"] == .array([]))
        }
    }

    @Test("takes sixty-four events or a quarter of a mebibyte at once, and no more")
    func batchLimits() async throws {
        try await controlPlane.withRouter { client in
            let node = try await client.create()
            let events = (1...65).map { Event.json($0, of: node.id) }
            let most = try await client.report(
                "[\(events.prefix(64).joined(separator: ","))]", as: node, type: Self.batchType)
            #expect(most.status == 200)
            let many = try await client.report("[\(events.joined(separator: ","))]", as: node, type: Self.batchType)
            #expect(many.status == 413)
            let blanks = String(repeating: " ", count: 256 << 10)
            #expect(try await client.report("[\(blanks)]", as: node, type: Self.batchType).status == 413)
        }
    }

    @Test("refuses with a time to come back where too many wait for the disk")
    func overloaded() async throws {
        try await TestControlPlane(in: TemporaryFolder(), maximumWaitingEvents: 0).withRouter { client in
            let node = try await client.create()
            for (body, type) in [
                (Event.json(1, of: node.id), "application/json"), ("[\(Event.json(1, of: node.id))]", Self.batchType),
            ] {
                let answer = try await client.report(body, as: node, type: type)
                #expect(answer.status == 503)
                #expect(answer.headers[.retryAfter] == "1")
            }
            #expect(try await client.send(.get, node.path).json["events"] == .integer(0))
        }
    }

    @Test("takes the events of many nodes at once, each of them once")
    func manyNodes() async throws {
        try await controlPlane.withRouter { client in
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<40 {
                    group.addTask {
                        let node = try await client.create()
                        for sequence in 1...5 {
                            #expect(try await client.report(Event.json(sequence, of: node.id), as: node).status == 202)
                        }
                    }
                }
                try await group.waitForAll()
            }
            let nodes = try await client.send(.get, "/api/v1/nodes").json["nodes"]?.arrayValue ?? []
            #expect(nodes.map { $0["events"] } == Array(repeating: .integer(5), count: 40))
        }
    }

    @Test("gives events back in order of sequence, as they were sent")
    func stored() async throws {
        try await controlPlane.withRouter { client in
            let node = try await client.create()
            for sequence in [3, 1, 2] { _ = try await client.report(Event.json(sequence, of: node.id), as: node) }
            let all = try await client.send(.get, node.path + "/events").json["events"]
            let sent = try (1...3).map { try JSONValue.parse(Array(Event.json($0, of: node.id).utf8)) }
            #expect(all == .array(sent))
            let page = try await client.send(.get, node.path + "/events?after=1&limit=1").json["events"]
            #expect(page == .array([sent[1]]))
            let bad = try await client.send(.get, node.path + "/events?after=x&limit=0")
            #expect(bad.status == 400)
            #expect(bad.badFields == ["after", "limit"])
        }
    }

    @Test("keeps the newest events only, and knows that the others came")
    func retention() async throws {
        try await controlPlane.withRouter { client in
            let node = try await client.create()
            for sequence in 1...5 {
                let body = try JSONValue.parse(Array(Event.json(sequence, of: node.id).utf8))
                _ = try await controlPlane.store.append([ReportedEvent(body, of: node.id)], to: node.id, keeping: 3)
            }
            let view = try await client.send(.get, node.path).json
            #expect(view["events"] == .integer(3))
            #expect(view["sequence_gaps"] == .array([]))
            #expect(Self.counts(try await client.report(Event.json(1, of: node.id), as: node)) == [0, 1])
        }
    }

    @Test("follows a node that begins to count anew, as a VM with an empty disk does")
    func newIncarnation() async throws {
        try await controlPlane.withRouter { client in
            let node = try await client.create()
            for sequence in 1...3 {
                _ = try await client.report(Event.json(sequence, of: node.id, state: "serving"), as: node)
            }
            for sequence in 1...2 {
                let event = Event.json(sequence, of: node.id, id: "anew-\(sequence)", state: "starting")
                #expect(Self.counts(try await client.report(event, as: node)) == [1, 0])
            }
            let late = try await client.report(Event.json(3, of: node.id, state: "serving"), as: node)
            #expect(Self.counts(late) == [0, 1])
            let view = try await client.send(.get, node.path).json
            #expect(view["state"] == .string("starting"))
            #expect(view["incarnation"] == .integer(2))
            #expect(view["events"] == .integer(5))
            #expect(view["sequence_gaps"] == .array([]))
            let path = node.path + "/events"
            #expect(try await client.send(.get, path).json["events"]?.arrayValue?.count == 2)
            #expect(try await client.send(.get, path + "?incarnation=1").json["events"]?.arrayValue?.count == 3)
        }
    }

    @Test("follows it even where retention has removed its first events")
    func newIncarnationAfterRetention() async throws {
        try await controlPlane.withRouter { client in
            let node = try await client.create()
            for sequence in 1...5 {
                let body = try JSONValue.parse(Array(Event.json(sequence, of: node.id).utf8))
                _ = try await controlPlane.store.append([ReportedEvent(body, of: node.id)], to: node.id, keeping: 2)
            }
            let started = Event.json(1, of: node.id, id: "anew", type: "agent_started", state: "booted")
            #expect(Self.counts(try await client.report(started, as: node)) == [1, 0])
            #expect(try await client.send(.get, node.path).json["state"] == .string("booted"))
        }
    }

    @Test("hears a revoked node to the end")
    func revoked() async throws {
        try await controlPlane.withRouter { client in
            let node = try await client.create()
            _ = try await client.send(.delete, node.path)
            let event = Event.json(1, of: node.id, type: "stopped", state: "stopped")
            #expect(try await client.report(event, as: node).status == 202)
            #expect(try await client.send(.get, node.path).json["state"] == .string("stopped"))
        }
    }

    @Test("refuses strangers before it reads their body")
    func authentication() async throws {
        try await controlPlane.withRouter { client in
            let node = try await client.create()
            let other = try await client.create()
            let path = node.path + "/events"
            let oversize = String(repeating: "x", count: (1 << 20) + 1)
            for (token, status) in [(nil, 401), ("wrong", 401), (other.token, 403), (node.token, 413)] {
                let answer = try await client.send(
                    .post, path, token: token, type: "application/json", body: oversize)
                #expect(answer.status == status)
            }
            let unknown = try await client.send(
                .post, "/api/v1/nodes/node-x/events", token: node.token, type: "application/json", body: "{}")
            #expect(unknown.status == 404)
        }
    }

    @Test("refuses other media types, bad JSON and bad events as problems")
    func badBodies() async throws {
        try await controlPlane.withRouter { client in
            let node = try await client.create()
            let event = Event.json(1, of: node.id)
            #expect(try await client.report(event, as: node, type: "text/plain").status == 415)
            #expect(try await client.report("<html>", as: node).status == 400)
            #expect(try await client.report("[\(event)]", as: node).status == 422)
            #expect(try await client.report(event, as: node, type: Self.batchType).status == 422)
            let withCharset = try await client.report(event, as: node, type: "Application/JSON; charset=utf-8")
            #expect(withCharset.status == 202)
        }
    }
}
