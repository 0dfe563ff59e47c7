internal import AgentWire
internal import ControlPlane
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
