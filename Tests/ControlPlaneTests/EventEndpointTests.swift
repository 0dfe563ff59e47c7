internal import AgentWire
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

    @Test("takes a batch as a whole or not at all")
    func batch() async throws {
        try await controlPlane.withRouter { client in
            let node = try await client.create()
            let good = (1...3).map { Event.json($0, of: node.id) }
            let bad = try await client.report(
                "[\(good[0]),\(Event.json(2, of: "node-other"))]", as: node, type: Self.batchType)
            #expect(bad.status == 422)
            #expect(bad.badFields == ["[1].source", "[1].data.node_id"])
            #expect(try await client.send(.get, node.path).json["events"] == .integer(0))

            let body = "[\(good.joined(separator: ","))]"
            #expect(Self.counts(try await client.report(body, as: node, type: Self.batchType)) == [3, 0])
            #expect(Self.counts(try await client.report(body, as: node, type: Self.batchType)) == [0, 3])
            let empty = try await client.report("[]", as: node, type: Self.batchType)
            #expect(Self.counts(empty) == [0, 0])
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
                _ = try await controlPlane.store.append([.one(body, of: node.id)], to: node.id, keeping: 3)
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
                _ = try await controlPlane.store.append([.one(body, of: node.id)], to: node.id, keeping: 2)
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
