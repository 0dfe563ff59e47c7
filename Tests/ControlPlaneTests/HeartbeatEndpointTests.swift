internal import AgentWire
internal import ControlPlane
internal import HTTPTypes
internal import Testing

@Suite("The heartbeat endpoint")
struct HeartbeatEndpointTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    private static func push(
        _ body: String, as node: CreatedNode, _ client: Client, type: String = "application/json",
        token: String? = nil
    ) async throws -> Answer {
        try await client.send(
            .put, node.path + "/heartbeat", token: token ?? node.token, type: type, body: body)
    }

    private static func beat(_ node: CreatedNode, state: String = "loading") -> String {
        """
        {"schema":1,"node_id":"\(node.id)","generation":1,"state":"\(state)","phase":"weights_stream",\
        "progress":{"fraction":0.25},"sequence":7}
        """
    }

    @Test("takes a snapshot, says when the next is due, and shows it with the node")
    func push() async throws {
        try await TestControlPlane(in: folder).withRouter { client in
            let node = try await client.create()
            let answer = try await Self.push(Self.beat(node), as: node, client)
            #expect(answer.status == 200)
            #expect(answer.json["next_in_s"] == .integer(10))
            let view = try await client.send(.get, node.path).json
            #expect(view["heartbeat"]?["state"] == .string("loading"))
            #expect(view["heartbeat"]?["fraction"] == .number(0.25))
            #expect(view["heartbeat"]?["document"]?["sequence"] == .integer(7))
            #expect(view["liveness"]?["status"] == .string("alive"))
            // What only events may say.
            #expect(view["state"] == .null)
            let listed = try await client.send(.get, "/api/v1/nodes").json["nodes"]?.arrayValue?.first
            #expect(listed?["heartbeat"]?["phase"] == .string("weights_stream"))
            #expect(listed?["heartbeat"]?["document"] == nil)
        }
    }

    @Test("gives way to an event of a later moment, by the node's clock, until the next one comes")
    func overtaken() async throws {
        try await TestControlPlane(in: folder).withRouter { client in
            let node = try await client.create()
            func isOvertaken(by event: String, after beat: String) async throws -> Bool? {
                let body = #"{"node_id":"\#(node.id)","state":"loading","time":"\#(beat)"}"#
                _ = try await Self.push(body, as: node, client)
                _ = try await client.report(event, as: node)
                return try await client.send(.get, node.path).json["heartbeat"]?["is_overtaken"]?.boolValue
            }
            let event = Event.json(1, of: node.id, state: "stopped")
            let told = try #require(try JSONReader.parse(Array(event.utf8))["time"]?.stringValue)
            #expect(try await isOvertaken(by: event, after: "2000-01-01T00:00:00.000Z") == true)
            let page = try await client.send(.get, "/")
            #expect(String(decoding: page.body, as: UTF8.self).contains(">stopped</span>"))
            #expect(try await isOvertaken(by: event, after: told) == false)
        }
    }

    @Test("is the node's alone")
    func authentication() async throws {
        try await TestControlPlane(in: folder, adminToken: Canary.adminToken).withRouter { client in
            let node = try await client.create(admin: Canary.adminToken)
            let other = try await client.create(admin: Canary.adminToken)
            for (token, status) in [("wrong", 401), (Canary.adminToken, 401), (other.token, 403)] {
                #expect(try await Self.push(Self.beat(node), as: node, client, token: token).status == status)
            }
        }
    }

    @Test("refuses what is no snapshot of this node")
    func badBodies() async throws {
        try await TestControlPlane(in: folder).withRouter { client in
            let node = try await client.create()
            let foreign = try await Self.push(#"{"node_id":"node-x","state":7}"#, as: node, client)
            #expect(foreign.status == 422)
            #expect(foreign.badFields == ["node_id", "state"])
            #expect(try await Self.push("[", as: node, client).status == 400)
            #expect(try await Self.push(#"{"state":"a","state":"b"}"#, as: node, client).status == 400)
            #expect(try await Self.push(Self.beat(node), as: node, client, type: "text/plain").status == 415)
            let long = #"{"x":""# + String(repeating: "x", count: 64 << 10) + "\"}"
            #expect(try await Self.push(long, as: node, client).status == 413)
        }
    }

    @Test("forgets documents before memory is short, and goes on knowing the state")
    func bounded() async throws {
        let fleet = Fleet(maximumBytes: 200)
        try await TestControlPlane(in: folder, fleet: fleet).withRouter { client in
            let first = try await client.create()
            let second = try await client.create()
            for node in [first, second, first] { _ = try await Self.push(Self.beat(node), as: node, client) }
            let shown = try await client.send(.get, first.path).json["heartbeat"]
            #expect(shown?["document"] != .null)
            let dropped = try await client.send(.get, second.path).json["heartbeat"]
            #expect(dropped?["document"] == .null)
            #expect(dropped?["state"] == .string("loading"))
        }
    }

    @Test("does not bring a revoked node back into the fleet")
    func revoked() async throws {
        try await TestControlPlane(in: folder).withRouter { client in
            let node = try await client.create()
            _ = try await client.send(.delete, node.path)
            let answer = try await Self.push(Self.beat(node), as: node, client)
            #expect(answer.status == 200)
            #expect(answer.json["next_in_s"] == .integer(10))
            let view = try await client.send(.get, node.path).json
            #expect(view["liveness"]?["status"] == .string("unknown"))
            #expect(view["heartbeat"] == .null)
        }
    }

    @Test("was under way when its node was revoked, as an event may be: the node stays out of the fleet")
    func underWay() throws {
        let fleet = Fleet()
        fleet.heard("node-a")
        fleet.remove("node-a")
        fleet.heard("node-a", state: "serving")
        #expect(fleet.look(at: "node-a").status == .unknown)
        let heartbeat = try NodeHeartbeat(Array(#"{"node_id":"node-a","state":"serving"}"#.utf8), of: "node-a")
        _ = fleet.take(heartbeat, from: "node-a")
        #expect(fleet.look(at: "node-a").status == .unknown)
        #expect(fleet.summary().heartbeatBytes == 0)
    }

    @Test("is counted in the fleet's figures, and a revoked node no more")
    func fleet() async throws {
        try await TestControlPlane(in: folder).withRouter { client in
            let node = try await client.create()
            _ = try await Self.push(Self.beat(node), as: node, client)
            let before = try await client.send(.get, "/api/v1/fleet").json
            #expect(before["nodes"] == .integer(1))
            #expect(before["liveness"]?["alive"] == .integer(1))
            #expect(before["brake"] == .null)
            _ = try await client.send(.delete, node.path)
            let after = try await client.send(.get, "/api/v1/fleet").json
            #expect(after["liveness"]?["alive"] == .integer(0))
            #expect(after["heartbeat_bytes"] == .integer(0))
            #expect(try await client.send(.delete, "/api/v1/fleet/brake").status == 204)
        }
    }
}
