internal import AgentCore
internal import AgentWire
internal import HTTPTypes
internal import Hummingbird
internal import Testing

@Suite("The assignment endpoint")
struct AssignmentEndpointTests {
    private let folder: TemporaryFolder
    private let controlPlane: TestControlPlane

    init() throws {
        folder = try TemporaryFolder()
        controlPlane = try TestControlPlane(in: folder)
    }

    @Test("knows its token behind a scheme in any case and any number of blanks", arguments: ["bearer ", "BEARER   "])
    func scheme(_ scheme: String) async throws {
        try await controlPlane.withRouter { client in
            let node = try await client.create()
            let headers: HTTPFields = [.authorization: scheme + node.token]
            #expect(try await client.send(.get, node.path + "/assignment", headers: headers).status == 200)
        }
    }

    @Test("gives the node its model, its credentials and its callback's secret, and nothing it does not know")
    func whole() async throws {
        try await controlPlane.withRouter { client in
            let node = try await client.create(
                """
                {"model":"acme/tiny","use_spot":true,"extra_args":["--enforce-eager"],"future":1,
                 "callback_url":"https://host/hook","callback_secret":"\(Canary.callbackSecret)"}
                """)
            let answer = try await client.send(.get, node.path + "/assignment", token: node.token)
            #expect(answer.status == 200)
            #expect(answer.headers[.eTag] == "\"1\"")
            #expect(answer.headers[.cacheControl] == "no-store")
            let expected = """
                {"generation":1,"model":"acme/tiny","model_uri":"s3://crosslogic-models/acme/tiny","use_spot":true,
                 "extra_args":["--enforce-eager"],"callback_url":"https://host/hook",
                 "callback_secret":"\(Canary.callbackSecret)",
                 "r2":{"endpoint":"https://account.r2.cloudflarestorage.com","bucket":"crosslogic-models",
                       "access_key_id":"\(Canary.accessKey)","secret_access_key":"\(Canary.secretKey)",
                       "cdn_domain":"models.example.org"}}
                """
            #expect(answer.json == (try JSONValue.parse(Array(expected.utf8))))
        }
    }

    @Test("gives what the agent reads as an assignment")
    func readByAgent() async throws {
        try await controlPlane.withRouter { client in
            let node = try await client.create()
            let answer = try await client.send(.get, node.path + "/assignment", token: node.token)
            let assignment = try AssignmentCodec.decode(answer.body, defaults: AssignmentDefaults())
            #expect(assignment.model == "meta-llama/Llama-3-8B-Instruct")
            #expect(assignment.generation == 1)
            #expect(assignment.store.secretAccessKey.reveal() == Canary.secretKey)
        }
    }

    @Test("leaves credentials out where the server has none")
    func withoutCredentials() async throws {
        let folder = try TemporaryFolder()
        try await TestControlPlane(in: folder, credentials: nil).withRouter { client in
            let node = try await client.create(#"{"model":"m","model_uri":"s3://b/m"}"#)
            let answer = try await client.send(.get, node.path + "/assignment", token: node.token)
            #expect(answer.json["r2"] == nil)
        }
    }

    @Test("answers 304 to the node that has the generation", arguments: ["\"1\"", "W/\"1\"", "\"0\", \"1\"", "*"])
    func unchanged(tag: String) async throws {
        try await controlPlane.withRouter { client in
            let node = try await client.create()
            let answer = try await client.send(
                .get, node.path + "/assignment", token: node.token, headers: [.ifNoneMatch: tag])
            #expect(answer.status == 304)
            #expect(answer.headers[.eTag] == "\"1\"")
            #expect(answer.body.isEmpty)
        }
    }

    @Test("answers at once, whatever the wait, to the node that has another generation or none")
    func changed() async throws {
        try await controlPlane.withRouter { client in
            let node = try await client.create()
            for headers in [[:], [.ifNoneMatch: "\"7\""]] as [HTTPFields] {
                let answer = try await client.send(
                    .get, node.path + "/assignment?wait=60", token: node.token, headers: headers)
                #expect(answer.status == 200)
            }
        }
    }

    @Test("tells no token, a wrong token, another node's token and an unknown node apart")
    func authentication() async throws {
        try await controlPlane.withRouter { client in
            let node = try await client.create()
            let other = try await client.create()
            let path = node.path + "/assignment"
            #expect(try await client.send(.get, path).status == 401)
            #expect(try await client.send(.get, path, token: "wrong").status == 401)
            #expect(try await client.send(.get, path, headers: [.authorization: "Basic \(node.token)"]).status == 401)
            #expect(try await client.send(.get, path, token: other.token).status == 403)
            #expect(try await client.send(.get, "/api/v1/nodes/node-x/assignment", token: node.token).status == 404)
            #expect(try await client.send(.get, path, token: node.token).status == 200)
        }
    }

    @Test("answers 410 once the node is revoked")
    func revoked() async throws {
        try await controlPlane.withRouter { client in
            let node = try await client.create()
            _ = try await client.send(.delete, node.path)
            let answer = try await client.send(
                .get, node.path + "/assignment", token: node.token, headers: [.ifNoneMatch: "\"1\""])
            #expect(answer.status == 410)
        }
    }

    @Test("names a wait that is none", arguments: ["-1", "61", "soon", "1.5", ""])
    func badWait(wait: String) async throws {
        try await controlPlane.withRouter { client in
            let node = try await client.create()
            let answer = try await client.send(.get, node.path + "/assignment?wait=\(wait)", token: node.token)
            #expect(answer.status == 400)
            #expect(answer.badFields == ["wait"])
        }
    }
}
