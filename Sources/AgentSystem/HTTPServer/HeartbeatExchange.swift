/// A request the server has read in full. Its body, if it had one, was dropped.
package struct ServerRequest: Equatable, Sendable {
    package enum Method: String, Sendable {
        case get = "GET"
        /// Answer as for `get`; the server leaves the body out.
        case head = "HEAD"
    }

    package var method: Method
    /// As sent, without the query; nothing is percent-decoded.
    package var path: String
    /// What follows `?`, as sent; empty where there is none.
    package var query: String
    /// Names in lower case; a repeated header keeps its last value.
    package var headers: [String: String]
    /// The client's IP address.
    package var peer: String

    package init(method: Method, path: String, query: String, headers: [String: String], peer: String) {
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self.peer = peer
    }
}

/// `content-length`, `date` and `connection` are the server's to add.
package struct ServerReply: Equatable, Sendable {
    package struct Header: Equatable, Sendable {
        package var name: String
        package var value: String

        package init(_ name: String, _ value: String) {
            self.name = name
            self.value = value
        }
    }

    package var status: Int
    package var contentType: String
    package var body: [UInt8]
    package var headers: [Header]

    package init(status: Int, contentType: String, body: [UInt8], headers: [Header] = []) {
        self.status = status
        self.contentType = contentType
        self.body = body
        self.headers = headers
    }
}

package struct HeartbeatServerLimits: Sendable {
    /// Request line and headers, in bytes; more is answered 431.
    package var headerBytes = 16 << 10
    /// A body this long is read and dropped; more is answered 413.
    package var bodyBytes = 4 << 10
    /// Served at one time; the next one takes the place of a connection that waits for its client to ask again,
    /// or is answered 503.
    package var connections = 256
    /// For the client to send a whole request, and for it to take a whole answer.
    package var idleTimeout = Duration.seconds(10)
    /// How long a refused client may go on sending before its connection is reset.
    package var lingerTimeout = Duration.seconds(1)

    package init() {}
}
