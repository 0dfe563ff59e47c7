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
    private var state = State.head

    init(maximumBodyBytes: Int) {
        self.maximumBodyBytes = maximumBodyBytes
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
        let headers = Headers(head.headers)
        // RFC 9112 §3.2: exactly one Host in HTTP/1.1.
        guard head.version == .http1_0 || headers.hosts == 1 else { return refuse(.malformed) }
        guard let method = ServerRequest.Method(rawValue: head.method.rawValue) else {
            return refuse(.methodNotAllowed)
        }
        guard headers.declaredLength <= maximumBodyBytes else {
            return refuse(.contentTooLarge, includesBody: method != .head)
        }
        let request = ServerRequest(
            method: method, path: Self.path(of: head.uri), authorization: headers.authorization)
        // The parser stops at a request to change protocols, so nothing can follow it.
        state = .body(.request(request, isLast: headers.isUpgrade || !head.isKeepAlive), bytes: 0)
        return nil
    }

    private mutating func refuse(_ reply: ServerReply, includesBody: Bool = true) -> Item {
        state = .refused
        return .refusal(reply, includesBody: includesBody)
    }

    /// Without the query, and without scheme and authority before it (RFC 9112 §3.2.2).
    private static func path(of target: String) -> String {
        var rest = Substring(target)
        if !rest.utf8.starts(with: "/".utf8), let slash = rest.utf8.firstIndex(of: UInt8(ascii: "/")) {
            let afterScheme = rest[slash...].drop { $0 == "/" }
            rest = afterScheme[(afterScheme.utf8.firstIndex(of: UInt8(ascii: "/")) ?? afterScheme.endIndex)...]
        }
        return String(rest[..<(rest.utf8.firstIndex(of: UInt8(ascii: "?")) ?? rest.endIndex)])
    }

    /// What matters of them, found in one pass.
    private struct Headers {
        var hosts = 0
        /// The parser refuses a second one.
        var declaredLength = 0
        var isUpgrade = false
        var authorization: String?

        init(_ headers: HTTPHeaders) {
            for (name, value) in headers {
                // Most names have another length, and are not looked at any further.
                switch name.utf8.count {
                case 4 where name.lowercased() == "host": hosts += 1
                case 7 where name.lowercased() == "upgrade": isUpgrade = true
                case 13 where name.lowercased() == "authorization": authorization = value
                case 14 where name.lowercased() == "content-length": declaredLength = Int(value) ?? 0
                default: break
                }
            }
        }
    }
}
