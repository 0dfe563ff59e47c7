internal import AgentWire
internal import HTTPTypes
internal import Hummingbird
internal import Testing

@Suite("The operator's endpoints")
struct NodeEndpointTests {
    private let folder: TemporaryFolder
    private let controlPlane: TestControlPlane

    init() throws {
        folder = try TemporaryFolder()
        controlPlane = try TestControlPlane(in: folder)
    }

    @Test("create a node from the documents' request, byte for byte")
    func create() async throws {
        try await controlPlane.withRouter { client in
            let answer = try await client.send(.post, "/api/v1/nodes", body: Client.request)
            #expect(answer.status == 201)
            let id = try #require(answer.json["id"]?.stringValue)
            #expect(id.hasPrefix("node-"))
            #expect(answer.headers[.location] == "/api/v1/nodes/\(id)")
            #expect(answer.json["generation"] == .integer(1))
            #expect(answer.json["assignment_url"] == .string("/api/v1/nodes/\(id)/assignment"))
            #expect(answer.json["token"]?.stringValue?.count == 43)
        }
    }

    @Test("show the request again, and that nothing was heard yet")
    func show() async throws {
        try await controlPlane.withRouter { client in
            let node = try await client.create()
            let view = try await client.send(.get, node.path).json
            guard case .object(let asked) = try JSONValue.parse(Array(Client.request.utf8)) else { return }
            for (field, value) in asked { #expect(view[field] == value, "\(field)") }
            #expect(view["id"] == .string(node.id))
            #expect(view["revoked"] == .bool(false))
            for field in ["state", "phase", "startup_s", "timings", "timeline", "failure", "last_event_at"] {
                #expect(view[field] == .null, "\(field)")
            }
            #expect(view["events"] == .integer(0))
            #expect(view["sequence_gaps"] == .array([]))
            #expect(view["created_at"]?.stringValue?.hasSuffix("Z") == true)
        }
    }

    @Test("list nodes in order of creation, page by page")
    func list() async throws {
        try await controlPlane.withRouter { client in
            var created: [String] = []
            for _ in 0..<3 { created.append(try await client.create().id) }
            let all = try await client.send(.get, "/api/v1/nodes")
            #expect(all.json["nodes"]?.arrayValue?.compactMap { $0["id"]?.stringValue } == created)
            #expect(all.json["next"] == nil)

            let first = try await client.send(.get, "/api/v1/nodes?limit=2")
            let next = try #require(first.json["next"]?.stringValue)
            let second = try await client.send(.get, "/api/v1/nodes?limit=2&after=\(next)")
            #expect(second.json["nodes"]?.arrayValue?.compactMap { $0["id"]?.stringValue } == [created[2]])
        }
    }

    @Test("name every bad field of a body", arguments: [HTTPRequest.Method.post, .put])
    func invalidBody(method: HTTPRequest.Method) async throws {
        try await controlPlane.withRouter { client in
            let node = try await client.create()
            let path = method == .post ? "/api/v1/nodes" : node.path
            let answer = try await client.send(method, path, body: #"{"gpu_count":0,"dtype":"x","model":""}"#)
            #expect(answer.status == 422)
            #expect(answer.headers[.contentType] == "application/problem+json")
            #expect(Set(answer.badFields) == ["gpu_count", "dtype", "model"])
            #expect(answer.json["type"] == .string("about:blank"))
            #expect(answer.json["status"] == .integer(422))
            #expect(answer.json["title"]?.stringValue?.isEmpty == false)
            #expect(answer.json["detail"]?.stringValue?.isEmpty == false)
            #expect(try await client.send(.get, node.path).json["generation"] == .integer(1))
        }
    }

    @Test(
        "answer 400 to what is no JSON, or nests without end",
        arguments: [
            "", "<html></html>", #"{"model":"#, "model=m", String(repeating: "[", count: 100_000),
            String(repeating: "[", count: 40) + String(repeating: "]", count: 40),
        ])
    func notJSON(body: String) async throws {
        try await controlPlane.withRouter { client in
            let answer = try await client.send(.post, "/api/v1/nodes", body: body)
            #expect(answer.status == 400)
            #expect(answer.headers[.contentType] == "application/problem+json")
        }
    }

    @Test("take brackets inside strings for text")
    func bracketsInStrings() async throws {
        try await controlPlane.withRouter { client in
            let brackets = String(repeating: "[", count: 100)
            let body = #"{"model":"m","note":"\\\" "# + brackets + #""}"#
            let answer = try await client.send(.post, "/api/v1/nodes", body: body)
            #expect(answer.status == 201)
        }
    }

    @Test("answer 413 to more than a mebibyte")
    func oversize() async throws {
        try await controlPlane.withRouter { client in
            let body = #"{"model":""# + String(repeating: "a", count: 1 << 20) + #""}"#
            let answer = try await client.send(.post, "/api/v1/nodes", body: body)
            #expect(answer.status == 413)
        }
    }

    @Test("answer 404 as a problem to unknown nodes and unknown paths")
    func notFound() async throws {
        try await controlPlane.withRouter { client in
            let paths: [(HTTPRequest.Method, String)] = [
                (.get, "/api/v1/nodes/node-x"), (.delete, "/api/v1/nodes/node-x"), (.put, "/api/v1/nodes/node-x"),
                (.get, "/api/v1/nodes/node-x/events"), (.get, "/nothing"),
            ]
            for (method, path) in paths {
                let answer = try await client.send(method, path, body: method == .put ? Client.request : nil)
                #expect(answer.status == 404, "\(method) \(path)")
                #expect(answer.json["status"] == .integer(404), "\(method) \(path)")
            }
        }
    }

    @Test("answer 405 to methods that a path does not have, and name those it has")
    func methods() async throws {
        try await controlPlane.withRouter { client in
            let expected = [
                ("/api/v1/nodes", "GET, HEAD, POST"), ("/api/v1/nodes/node-x", "DELETE, GET, HEAD, PUT"),
                ("/api/v1/nodes/node-x/heartbeat", "PUT"), ("/", "GET, HEAD"),
            ]
            for (path, allowed) in expected {
                let answer = try await client.send(.patch, path)
                #expect(answer.status == 405, "\(path)")
                #expect(answer.headers[.allow] == allowed, "\(path)")
            }
        }
    }

    @Test("replace an assignment with a higher generation, but never a revoked one")
    func replace() async throws {
        try await controlPlane.withRouter { client in
            let node = try await client.create()
            let answer = try await client.send(.put, node.path, body: #"{"model":"acme/tiny-llama"}"#)
            #expect(answer.status == 200)
            #expect(answer.json["generation"] == .integer(2))
            let view = try await client.send(.get, node.path).json
            #expect(view["model"] == .string("acme/tiny-llama"))
            #expect(view["gpu"] == nil)

            #expect(try await client.send(.delete, node.path).status == 204)
            #expect(try await client.send(.delete, node.path).status == 204)
            #expect(try await client.send(.get, node.path).json["revoked"] == .bool(true))
            #expect(try await client.send(.put, node.path, body: Client.request).status == 409)
        }
    }

    @Test("need the admin token where one is set")
    func adminToken() async throws {
        let folder = try TemporaryFolder()
        let guarded = try TestControlPlane(in: folder, adminToken: Canary.adminToken)
        try await guarded.withRouter { client in
            let node = try await client.create(admin: Canary.adminToken)
            let requests: [(HTTPRequest.Method, String)] = [
                (.post, "/api/v1/nodes"), (.get, "/api/v1/nodes"), (.get, node.path), (.put, node.path),
                (.delete, node.path), (.get, node.path + "/events"),
            ]
            for (method, path) in requests {
                for token in [nil, "wrong", node.token] {
                    let answer = try await client.send(method, path, token: token, body: Client.request)
                    #expect(answer.status == 401, "\(method) \(path)")
                    #expect(answer.headers[.wwwAuthenticate]?.hasPrefix("Bearer") == true)
                }
            }
            #expect(try await client.send(.get, node.path, token: Canary.adminToken).status == 200)
            #expect(try await client.send(.get, "/healthz").status == 200)
        }
    }

    @Test("say that the server is alive")
    func health() async throws {
        try await controlPlane.withRouter { client in
            for method in [HTTPRequest.Method.get, .head] {
                let answer = try await client.send(method, "/healthz")
                #expect(answer.status == 200)
            }
        }
    }
}
