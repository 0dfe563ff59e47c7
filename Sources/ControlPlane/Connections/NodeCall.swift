package import AgentCore

/// One of the four requests that a node makes for ever, in the form in which every agent sends them.
package struct NodeCall: Equatable, Sendable {
    package enum Kind: Equatable, Sendable {
        /// `known` is `If-None-Match`.
        case poll(seconds: Int64, known: String?)
        /// A batch, or one event.
        case events(isBatch: Bool)
        case heartbeat
        /// What the events' path takes: how an agent keeps the connection of its urgent events.
        case options
    }

    package var kind: Kind
    package var node: String
    /// nil where there is none, as with `options`.
    package var token: Secret?
    /// Of the request line and the headers, and of the body.
    package var headBytes: Int
    package var bodyBytes: Int

    var totalBytes: Int { headBytes + bodyBytes }
}

/// Recognises a `NodeCall` at the beginning of some bytes. Pure.
///
/// It is no HTTP server: whatever it is not sure of is left to one, with all its errors. So it may be narrow, but must
/// never take for a call what an HTTP server would read otherwise.
package enum NodeCallReader {
    package enum Reading: Equatable, Sendable {
        /// The head is not complete.
        case incomplete
        case call(NodeCall)
        case somethingElse
    }

    static let maximumHeadBytes = 4096
    private static let prefix = "/api/v1/nodes/"

    package static func read(_ bytes: some RandomAccessCollection<UInt8>) -> Reading {
        guard let headBytes = headBytes(bytes) else {
            return bytes.count < maximumHeadBytes ? .incomplete : .somethingElse
        }
        guard let head = String(validating: bytes.prefix(headBytes - 4), as: UTF8.self), let all = lines(head),
            case var lines = all[...], let first = lines.popFirst(), let headers = Headers(lines),
            let request = requestLine(first, headers)
        else { return .somethingElse }
        return .call(
            NodeCall(
                kind: request.kind, node: request.node, token: headers.token, headBytes: headBytes,
                bodyBytes: headers.length ?? 0))
    }

    /// To the end of the empty line; nil where that is not there, or further away than a head may be long.
    private static func headBytes(_ bytes: some RandomAccessCollection<UInt8>) -> Int? {
        var last: UInt32 = 0
        var count = 0
        for byte in bytes.prefix(maximumHeadBytes) {
            last = last << 8 | UInt32(byte)
            count += 1
            // "\r\n\r\n"
            if last == 0x0D0A_0D0A { return count }
        }
        return nil
    }

    /// nil where one ends with a bare line feed.
    private static func lines(_ head: String) -> [Substring]? {
        var lines = head.utf8.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        for index in lines.indices.dropLast() {
            guard lines[index].popLast() == UInt8(ascii: "\r") else { return nil }
        }
        return lines.map(Substring.init)
    }

    private static func requestLine(_ line: Substring, _ headers: Headers) -> (kind: NodeCall.Kind, node: String)? {
        let words = line.split(separator: " ", omittingEmptySubsequences: false)
        guard words.count == 3, words[2] == "HTTP/1.1", words[1].hasPrefix(prefix) else { return nil }
        let parts = words[1].dropFirst(prefix.count).split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[0].isEmpty, parts[0].utf8.allSatisfy(isNameByte) else { return nil }
        return kind(words[0], parts[1], headers).map { ($0, String(parts[0])) }
    }

    private static func kind(_ method: Substring, _ target: Substring, _ headers: Headers) -> NodeCall.Kind? {
        switch (method, target, headers.contentType) {
        case ("GET", _, nil) where headers.length == nil:
            return seconds(target).map { .poll(seconds: $0, known: headers.known) }
        case ("OPTIONS", "events", nil) where headers.length == nil: return .options
        case ("PUT", "heartbeat", "application/json") where headers.length != nil: return .heartbeat
        case ("POST", "events", "application/cloudevents-batch+json") where headers.length != nil:
            return .events(isBatch: true)
        case ("POST", "events", "application/cloudevents+json") where headers.length != nil:
            return .events(isBatch: false)
        default: return nil
        }
    }

    private static func seconds(_ target: Substring) -> Int64? {
        if target == "assignment" { return 0 }
        let name = "assignment?wait="
        guard target.hasPrefix(name), let seconds = UInt8(target.dropFirst(name.count)) else { return nil }
        return seconds <= AssignmentRoute.maximumWait ? Int64(seconds) : nil
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"):
            true
        default: false
        }
    }
}

extension NodeCallReader {
    /// The headers that matter here; nil where there is one that changes what the request means.
    private struct Headers {
        var token: Secret?
        var known: String?
        var contentType: String?
        var length: Int?

        init?(_ lines: ArraySlice<Substring>) {
            var hosts = 0
            for line in lines {
                guard let colon = line.utf8.firstIndex(of: UInt8(ascii: ":")), colon > line.startIndex,
                    !line.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F })
                else { return nil }
                let name = line[..<colon]
                let value = line[line.utf8.index(after: colon)...].drop { $0 == " " }
                // A blank in or behind a name has been used to smuggle requests (RFC 9112 §5.1).
                guard !name.utf8.contains(UInt8(ascii: " ")), value.last != " " else { return nil }
                guard take(name.lowercased(), value, &hosts) else { return nil }
            }
            // RFC 9112 §3.2.
            guard hosts == 1 else { return nil }
        }

        private mutating func take(_ name: String, _ value: Substring, _ hosts: inout Int) -> Bool {
            switch name {
            case "host": hosts += 1
            case "authorization":
                guard token == nil, value.hasPrefix("Bearer "), value.count > 7 else { return false }
                token = Secret(String(value.dropFirst(7)))
            case "if-none-match":
                guard known == nil else { return false }
                known = String(value)
            case "content-type":
                guard contentType == nil else { return false }
                contentType = String(value)
            case "content-length":
                guard length == nil, !value.isEmpty, value.utf8.allSatisfy({ (0x30...0x39).contains($0) }),
                    let bytes = Int(value), bytes <= EventBatch.maximumBytes
                else { return false }
                length = bytes
            case "transfer-encoding", "expect", "upgrade", "connection", "trailer", "te": return false
            default: break
            }
            return true
        }
    }
}
