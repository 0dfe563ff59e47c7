internal import FoundationEssentials
internal import HTTPTypes
internal import Testing

@Suite("Secrets")
struct SecrecyTests {
    private let folder: TemporaryFolder
    private let controlPlane: TestControlPlane

    init() throws {
        folder = try TemporaryFolder()
        controlPlane = try TestControlPlane(in: folder, adminToken: Canary.adminToken)
    }

    private static let request = """
        {"model":"acme/tiny","callback_url":"https://host/hook","callback_secret":"\(Canary.callbackSecret)",
         "hf_token":"CANARY-unknown-field","nested":{"api-key":"CANARY-nested"},"max_num_batched_tokens":2048}
        """

    @Test("are in no answer to the operator but the one that creates the node")
    func adminAnswers() async throws {
        try await controlPlane.withRouter { client in
            let node = try await client.create(Self.request, admin: Canary.adminToken)
            _ = try await client.report(Event.json(1, of: node.id), as: node)
            let requests: [(HTTPRequest.Method, String, String?)] = [
                (.get, node.path, nil), (.get, "/api/v1/nodes", nil), (.get, node.path + "/events", nil),
                (.put, node.path, Self.request), (.put, node.path, #"{"callback_secret":["CANARY"]}"#),
                (.delete, node.path, nil),
            ]
            for (method, path, body) in requests {
                let answer = try await client.send(method, path, token: Canary.adminToken, body: body)
                let text = String(decoding: answer.body, as: UTF8.self) + answer.headers.map(\.value).joined()
                #expect(!text.contains("CANARY"), "\(method) \(path)")
                #expect(!text.contains(node.token), "\(method) \(path)")
            }
            let view = try await client.send(.get, node.path, token: Canary.adminToken).json
            #expect(view["max_num_batched_tokens"] == .integer(2048))
        }
    }

    @Test("of the store, the operator and the nodes are in no byte of the data folder")
    func database() async throws {
        try await controlPlane.withRouter { client in
            let node = try await client.create(admin: Canary.adminToken)
            _ = try await client.send(.get, node.path + "/assignment", token: node.token)
            _ = try await client.report(Event.json(1, of: node.id), as: node)
            let files = try folder.contents()
            #expect(files.values.contains { $0.firstRange(of: Data(node.id.utf8)) != nil })
            for (name, bytes) in files {
                for secret in [Canary.accessKey, Canary.secretKey, Canary.adminToken, node.token] {
                    #expect(bytes.firstRange(of: Data(secret.utf8)) == nil, "\(name)")
                }
            }
        }
    }

    @Test("that must be kept, a callback's, are readable by the owner alone")
    func permissions() async throws {
        try await controlPlane.withRouter { client in
            _ = try await client.create(Self.request, admin: Canary.adminToken)
            for name in try folder.contents().keys {
                let attributes = try FileManager.default.attributesOfItem(atPath: folder.path + "/" + name)
                #expect(attributes[.posixPermissions] as? Int == 0o600, "\(name)")
            }
        }
    }
}
