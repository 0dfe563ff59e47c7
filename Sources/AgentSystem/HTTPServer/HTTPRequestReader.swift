internal import NIOCore
internal import NIOHTTP1

/// Turns the decoder's parts into requests to answer. Pure: no channel, no clock.
struct HTTPRequestReader {
    /// What the server owes the client, in the order of the requests.
    enum Item {
        /// `isLast`: the client does not want, or cannot use, the connection afterwards.
        case request(ServerRequest, isLast: Bool)
        /// Nothing after this is read.
        case refusal(ServerReply, includesBody: Bool)
    }

    private enum State {
        /// Can become `body` or `refused`.
        case head
        /// Can become `head` or `refused`.
        case body(Item, bytes: Int)
        case refused
    }

    private let maximumBodyBytes: Int
    private let peer: String
    private var state = State.head

    init(maximumBodyBytes: Int, peer: String) {
        self.maximumBodyBytes = maximumBodyBytes
        self.peer = peer
    }

    /// No part of a request is in.
    var isBetweenRequests: Bool {
        guard case .head = state else { return false }
        return true
    }

    mutating func take(_ part: HTTPServerRequestPart) -> Item? {
        switch (state, part) {
        case (.head, .head(let head)):
            return begin(head)
        case (.body(let item, let bytes), .body(let buffer)):
            let total = bytes + buffer.readableBytes
            guard total <= maximumBodyBytes else { return refuse(.contentTooLarge) }
            state = .body(item, bytes: total)
            return nil
        case (.body(let item, _), .end):
            state = .head
            return item
        case (.refused, _), (.head, .body), (.head, .end), (.body, .head):
            return nil
        }
    }

    /// The decoder gave up: what follows on this connection has no meaning.
    mutating func fail(_ error: HTTPParserError) -> Item? {
        if case .refused = state { return nil }
        return refuse(error == .headerOverflow ? .headersTooLarge : .malformed)
    }

    private mutating func begin(_ head: HTTPRequestHead) -> Item? {
        // RFC 9112 §3.2: exactly one Host in HTTP/1.1.
        guard head.version == .http1_0 || head.headers[canonicalForm: "host"].count == 1 else {
            return refuse(.malformed)
        }
        guard let method = ServerRequest.Method(rawValue: head.method.rawValue) else {
            return refuse(.methodNotAllowed)
        }
        let declared = head.headers.first(name: "content-length").flatMap { Int($0) } ?? 0
        guard declared <= maximumBodyBytes else {
            return refuse(.contentTooLarge, includesBody: method != .head)
        }
        // The parser stops at a request to change protocols, so nothing can follow it.
        let isLast = !head.isKeepAlive || head.headers.contains(name: "upgrade")
        state = .body(.request(request(method, head), isLast: isLast), bytes: 0)
        return nil
    }

    private mutating func refuse(_ reply: ServerReply, includesBody: Bool = true) -> Item {
        state = .refused
        return .refusal(reply, includesBody: includesBody)
    }

    private func request(_ method: ServerRequest.Method, _ head: HTTPRequestHead) -> ServerRequest {
        let (path, query) = Self.split(target: head.uri)
        var headers: [String: String] = [:]
        for (name, value) in head.headers { headers[name.lowercased()] = value }
        return ServerRequest(method: method, path: path, query: query, headers: headers, peer: peer)
    }

    /// `/path?query`, or with scheme and authority before it (RFC 9112 §3.2.2).
    static func split(target: String) -> (path: String, query: String) {
        var rest = Substring(target)
        if !rest.utf8.starts(with: "/".utf8), let slash = rest.utf8.firstIndex(of: UInt8(ascii: "/")) {
            let afterScheme = rest[slash...].drop { $0 == "/" }
            rest = afterScheme[(afterScheme.utf8.firstIndex(of: UInt8(ascii: "/")) ?? afterScheme.endIndex)...]
        }
        guard let mark = rest.utf8.firstIndex(of: UInt8(ascii: "?")) else { return (String(rest), "") }
        return (String(rest[..<mark]), String(rest[rest.utf8.index(after: mark)...]))
    }
}
