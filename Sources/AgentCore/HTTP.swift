/// One HTTP exchange, bounded in time and size before it begins.
package struct HTTPRequest: Sendable {
    package enum Method: String, Sendable {
        case get = "GET"
        case post = "POST"
        case put = "PUT"
        case delete = "DELETE"
        case options = "OPTIONS"
    }

    package var method: Method
    package var url: String
    package var headers: [(name: String, value: Secret)]
    package var body: [UInt8]?
    /// From the call to the last byte of the answer.
    package var timeout: Duration
    package var connectTimeout: Duration
    /// An answer that brings nothing for so long is given up; nil leaves that to `timeout`.
    package var stallTimeout: Duration?
    /// Bytes of body; a longer answer is `HTTPFailure.Kind.tooLarge`.
    package var maximumResponseBytes: Int
    /// A longer answer is one without a body: its status is what counts.
    package var dropsLongBody = false
    /// Whether proxies of the environment may be used. Never for metadata or loopback.
    package var mayUseProxy: Bool

    package init(_ method: Method, _ url: String, timeout: Duration) {
        self.method = method
        self.url = url
        self.timeout = timeout
        headers = []
        connectTimeout = .seconds(5)
        maximumResponseBytes = 1 << 20
        mayUseProxy = false
    }
}

package struct HTTPResponse: Equatable, Sendable {
    package var status: Int
    /// Names in lower case; a repeated header keeps its last value.
    package var headers: [String: String]
    package var body: [UInt8]
    /// It was longer than asked for.
    package var isBodyDropped = false
    /// When the status line's first byte arrived.
    package var firstByteAt: BootInstant

    package init(status: Int, headers: [String: String], body: [UInt8], firstByteAt: BootInstant) {
        self.status = status
        self.headers = headers
        self.body = body
        self.firstByteAt = firstByteAt
    }
}

package struct HTTPFailure: Error, Equatable, Sendable {
    package enum Kind: String, Sendable {
        case resolve
        case connect
        case timeout
        case tls
        case tooLarge
        case truncated
        case cancelled
        case other
    }

    package var kind: Kind
    /// libcurl's own words, at most 256 bytes.
    package var message: String

    package init(_ kind: Kind, _ message: String) {
        self.kind = kind
        self.message = message
    }
}

package struct FileFailure: Error, Equatable, Sendable {
    package var operation: String
    package var path: String
    package var errno: Int32
    /// `strerror` of `errno`.
    package var reason: String

    package init(operation: String, path: String, errno: Int32, reason: String) {
        self.operation = operation
        self.path = path
        self.errno = errno
        self.reason = reason
    }

    package var message: String { "\(operation) \(path): \(reason)" }
}
