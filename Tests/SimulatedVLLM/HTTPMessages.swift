/// One request, as far as the endpoints need it.
struct HTTPRequest {
    var method: String
    var path: String
    var keepAlive: Bool
    var body: [UInt8]

    /// Takes one complete request off the front of the bytes; nil while it is incomplete.
    static func take(from bytes: inout [UInt8]) -> HTTPRequest? {
        guard let end = headerEnd(bytes) else { return nil }
        let lines = String(decoding: bytes[..<end], as: UTF8.self).split(separator: "\r\n")
        let words = (lines.first ?? "").split(separator: " ")
        guard words.count == 3 else {
            bytes.removeAll()
            return HTTPRequest(method: "?", path: "?", keepAlive: false, body: [])
        }
        var headers: [String: String] = [:]
        for line in lines.dropFirst() {
            guard let colon = line.firstIndex(of: ":") else { continue }
            let value = line[line.index(after: colon)...].drop { $0 == " " }
            headers[line[..<colon].lowercased()] = String(value)
        }
        let bodyStart = end + 4
        let length = Int(headers["content-length"] ?? "0") ?? 0
        guard bytes.count >= bodyStart + length else { return nil }
        let body = Array(bytes[bodyStart..<bodyStart + length])
        bytes.removeFirst(bodyStart + length)
        return HTTPRequest(
            method: String(words[0]), path: String(words[1].prefix { $0 != "?" }),
            keepAlive: words[2] == "HTTP/1.1" && headers["connection"]?.lowercased() != "close", body: body)
    }

    private static func headerEnd(_ bytes: [UInt8]) -> Int? {
        let separator: [UInt8] = [13, 10, 13, 10]
        guard bytes.count >= 4 else { return nil }
        return (0...bytes.count - 4).first { bytes[$0..<$0 + 4].elementsEqual(separator) }
    }
}

struct HTTPResponse {
    var status: Int
    var contentType = "application/json"
    var body: String

    static func json(_ body: String, status: Int = 200) -> HTTPResponse {
        HTTPResponse(status: status, body: body)
    }

    static func error(_ status: Int, _ message: String, type: String, parameter: String = "null") -> HTTPResponse {
        let text = JSONText.quoted(message)
        let body = "{\"error\":{\"message\":\(text),\"type\":\"\(type)\",\"param\":\(parameter),\"code\":\(status)}}"
        return .json(body, status: status)
    }

    var reason: String {
        switch status {
        case 200: "OK"
        case 400: "Bad Request"
        case 404: "Not Found"
        case 405: "Method Not Allowed"
        case 500: "Internal Server Error"
        case 503: "Service Unavailable"
        default: "Status \(status)"
        }
    }

    func rendered(keepAlive: Bool) -> [UInt8] {
        let content = Array(body.utf8)
        let head = """
            HTTP/1.1 \(status) \(reason)\r
            server: simulated-vllm\r
            content-length: \(content.count)\r
            content-type: \(contentType)\r
            connection: \(keepAlive ? "keep-alive" : "close")\r
            \r

            """
        return Array(head.utf8) + content
    }
}

/// The little JSON a stand-in needs: quoting, and top-level members of a well-formed object.
enum JSONText {
    static func quoted(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\"": result += "\\\""
            case "\\": result += "\\\\"
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result + "\""
    }

    /// The raw text of a member (strings without their quotes), nil where there is none.
    static func member(_ name: String, of body: [UInt8]) -> String? {
        let text = String(decoding: body, as: UTF8.self)
        guard let key = text.firstRange(of: "\"\(name)\"") else { return nil }
        let value = text[key.upperBound...].drop { $0 == ":" || $0.isWhitespace }
        guard value.first == "\"" else {
            return String(value.prefix { $0 != "," && $0 != "}" && !$0.isWhitespace })
        }
        return String(value.dropFirst().prefix { $0 != "\"" })
    }
}
