internal import AgentWire
internal import HTTPTypes
internal import Hummingbird

extension Response {
    /// Never cached: it is either about to change or secret.
    static func json(
        _ value: JSONValue, status: HTTPResponse.Status = .ok, headers: HTTPFields = [:],
        contentType: String = "application/json"
    ) -> Response {
        var headers = headers
        headers[.contentType] = contentType
        headers[.cacheControl] = "no-store"
        let body = ResponseBody(byteBuffer: ByteBuffer(bytes: value.rendered()))
        return Response(status: status, headers: headers, body: body)
    }

    /// A document that is text already.
    static func json(text: String) -> Response {
        let headers: HTTPFields = [.contentType: "application/json", .cacheControl: "no-store"]
        return Response(status: .ok, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }

    static func problem(_ problem: Problem) -> Response {
        var headers = HTTPFields()
        for header in problem.headers {
            guard let name = HTTPField.Name(header.name) else { continue }
            headers[name] = header.value
        }
        return json(
            problem.document, status: HTTPResponse.Status(code: problem.status), headers: headers,
            contentType: "application/problem+json")
    }
}
