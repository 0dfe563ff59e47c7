internal import AgentWire
internal import HTTPTypes
internal import Testing

@Suite("The end of a machine")
struct EndEndpointTests {
    private let folder: TemporaryFolder
    private let controlPlane: TestControlPlane
    private static let end = #"{"at":"2026-11-22T03:00:00Z","kind":"stop","reason":"capacity block"}"#

    init() throws {
        folder = try TemporaryFolder()
        controlPlane = try TestControlPlane(in: folder)
    }

    @Test("is told with the same generation under another tag, and taken back")
    func announced() async throws {
        try await controlPlane.withRouter { client in
            let node = try await client.create()
            let announced = try await client.send(.put, node.path + "/end", body: Self.end)
            #expect(announced.status == 200)
            let told = try await client.send(
                .get, node.path + "/assignment", token: node.token, headers: [.ifNoneMatch: "\"1\""])
            #expect(told.status == 200)
            #expect(told.json["generation"] == .integer(1))
            #expect(told.json["end"] == (try JSONValue.parse(Array(Self.end.utf8))))
            let shown = try await client.send(.get, node.path)
            #expect(shown.json["end"]?["reason"] == .string("capacity block"))
            let tag = try #require(told.headers[.eTag])
            let same = try await client.send(
                .get, node.path + "/assignment", token: node.token, headers: [.ifNoneMatch: tag])
            #expect(same.status == 304)
            let takenBack = try await client.send(.delete, node.path + "/end")
            #expect(takenBack.status == 204)
            let after = try await client.send(
                .get, node.path + "/assignment", token: node.token, headers: [.ifNoneMatch: tag])
            #expect(after.status == 200)
            #expect(after.json["end"] == nil)
        }
    }

    @Test("wakes a poll that waits")
    func wakes() async throws {
        try await controlPlane.withRouter { client in
            let node = try await client.create()
            async let poll = client.send(
                .get, node.path + "/assignment?wait=30", token: node.token, headers: [.ifNoneMatch: "\"1\""])
            await controlPlane.waitUntilPolling(1)
            _ = try await client.send(.put, node.path + "/end", body: Self.end)
            let told = try await poll
            #expect(told.json["end"]?["kind"] == .string("stop"))
        }
    }

    @Test(
        "that makes no sense is refused, field by field",
        arguments: [
            ("{}", ["at"]), (#"{"at":"tomorrow"}"#, ["at"]),
            (#"{"at":"2026-11-22T03:00:00Z","kind":"freeze"}"#, ["kind"]),
            (#"{"at":7,"kind":"x","reason":[]}"#, ["at", "kind", "reason"]),
        ])
    func refused(body: String, fields: [String]) async throws {
        try await controlPlane.withRouter { client in
            let node = try await client.create()
            let answer = try await client.send(.put, node.path + "/end", body: body)
            #expect(answer.status == 422)
            #expect(answer.badFields == fields)
        }
    }

    @Test("of a node that nobody knows is 404")
    func unknown() async throws {
        try await controlPlane.withRouter { client in
            for method in [HTTPRequest.Method.put, .delete] {
                let answer = try await client.send(method, "/api/v1/nodes/nobody/end", body: Self.end)
                #expect(answer.status == 404)
            }
        }
    }
}
