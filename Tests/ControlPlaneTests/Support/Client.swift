internal import AgentWire
internal import HTTPTypes
internal import Hummingbird
internal import HummingbirdTesting
internal import Testing

/// A node as its creator knows it.
struct CreatedNode: Sendable {
    let id: String
    let token: String

    var path: String { "/api/v1/nodes/\(id)" }
}

struct Answer: Sendable {
    let status: Int
    let headers: HTTPFields
    let body: [UInt8]

    /// Null where the body is no JSON.
    var json: JSONValue {
        (try? JSONValue.parse(body)) ?? .null
    }

    /// The fields an RFC 9457 problem names.
    var badFields: [String] {
        json["errors"]?.arrayValue?.compactMap { $0["field"]?.stringValue } ?? []
    }
}

struct Client: Sendable {
    let test: any TestClientProtocol

    /// The request of the original documents.
    static let request = """
        {"provider":"aws","region":"us-east-1","gpu":"A10G","gpu_count":1,\
        "model":"meta-llama/Llama-3-8B-Instruct","use_spot":true,"streamer_concurrency":32,\
        "streamer_memory_limit":5368709120,"gpu_memory_utilization":0.95}
        """

    func send(
        _ method: HTTPRequest.Method, _ path: String, token: String? = nil, type: String? = nil,
        headers: HTTPFields = [:], body: String? = nil
    ) async throws -> Answer {
        var headers = headers
        if let token { headers[.authorization] = "Bearer \(token)" }
        if let type { headers[.contentType] = type }
        let response = try await test.executeRequest(
            uri: path, method: method, headers: headers, body: body.map { ByteBuffer(string: $0) })
        return Answer(
            status: response.status.code, headers: response.headers, body: Array(response.body.readableBytesView))
    }

    func create(_ body: String = Client.request, admin: String? = nil) async throws -> CreatedNode {
        let answer = try await send(.post, "/api/v1/nodes", token: admin, body: body)
        try #require(answer.status == 201)
        return CreatedNode(
            id: try #require(answer.json["id"]?.stringValue), token: try #require(answer.json["token"]?.stringValue))
    }

    func report(_ body: String, as node: CreatedNode, type: String = "application/cloudevents+json") async throws
        -> Answer
    {
        try await send(.post, node.path + "/events", token: node.token, type: type, body: body)
    }
}
