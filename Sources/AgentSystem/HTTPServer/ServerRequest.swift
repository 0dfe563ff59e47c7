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
