internal import AgentWire
internal import ControlPlane
internal import Logging
internal import Testing

@Suite("The data folder")
struct PersistenceTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    @Test("brings back nodes, tokens, assignments and events after a restart")
    func reopen() async throws {
        let (node, before) = try await firstLife()
        try await TestControlPlane(in: folder).withRouter { client in
            #expect(Self.lasting(try await client.send(.get, node.path).json) == before)
            let answer = try await client.send(.get, node.path + "/assignment", token: node.token)
            #expect(answer.status == 200)
            #expect(answer.headers[.eTag] == "\"2\"")
            let again = try await client.report(Event.json(1, of: node.id), as: node)
            #expect(again.json["duplicates"] == .integer(1))
        }
    }

    /// Without how long the node has been silent.
    private static func lasting(_ view: JSONValue) -> [String: JSONValue] {
        guard case .object(let fields) = view else { return [:] }
        return fields.filter { $0.key != "liveness" }
    }

    private func firstLife() async throws -> (CreatedNode, [String: JSONValue]) {
        try await TestControlPlane(in: folder).withRouter { client in
            let node = try await client.create()
            _ = try await client.send(.put, node.path, body: #"{"model":"acme/tiny"}"#)
            _ = try await client.report(Event.json(1, of: node.id), as: node)
            return (node, Self.lasting(try await client.send(.get, node.path).json))
        }
    }

    @Test("tells after a restart who had left: such a node is not missed")
    func left() async throws {
        let nodes = try await TestControlPlane(in: folder).withRouter { client in
            let nodes = [try await client.create(), try await client.create()]
            for node in nodes { _ = try await client.report(Event.json(1, of: node.id, state: "serving"), as: node) }
            let last = Event.json(2, of: nodes[1].id, type: "stopped", state: "stopped")
            _ = try await client.report(last, as: nodes[1])
            return nodes
        }
        try await TestControlPlane(in: folder).withRouter { client in
            for (node, status) in zip(nodes, ["alive", "left"]) {
                let liveness = try await client.send(.get, node.path).json["liveness"]
                #expect(liveness?["status"] == .string(status))
            }
        }
    }

    @Test("tells after a restart who was lost and was not heard again")
    func lost() async throws {
        let nodes = try await TestControlPlane(in: folder).withRouter { client in
            let nodes = [try await client.create(), try await client.create()]
            for node in nodes { _ = try await client.report(Event.json(1, of: node.id), as: node) }
            return nodes.map(\.id)
        }
        try await loseAll(nodes)
        #expect(try NodeStore(directory: folder.path).directory.past == [nodes[0]: .lost, nodes[1]: .lost])
        try await NodeStore(directory: folder.path).keep([.found(nodes[1])])
        #expect(try NodeStore(directory: folder.path).directory.past == [nodes[0]: .lost, nodes[1]: .present])
    }

    private func loseAll(_ nodes: [String]) async throws {
        var settings = FleetLiveness.Settings()
        (settings.lostAfter, settings.grace) = (-1, 0)
        let past = Dictionary(uniqueKeysWithValues: nodes.map { ($0, FleetLiveness.Past.present) })
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let store = try NodeStore(directory: folder.path)
        await LivenessWatch(fleet: Fleet(past: past, settings: settings) { 0 }, store: store, logger: logger).look()
    }

    @Test("belongs to one server at a time")
    func oneServer() throws {
        let first = try NodeStore(directory: folder.path)
        let error = #expect(throws: StoreFailure.self) { try NodeStore(directory: folder.path) }
        #expect(error?.message.contains("another control plane") == true)
        withExtendedLifetime(first) {}
    }

    @Test("that cannot be used is named")
    func unusable() {
        let error = #expect(throws: StoreFailure.self) { try NodeStore(directory: "/dev/null/data") }
        #expect(error?.message.contains("/dev/null/data") == true)
    }
}
