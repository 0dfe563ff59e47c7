/// A request the server has read in full. Its body, if it had one, was dropped, and so was the query.
package struct ServerRequest: Equatable, Sendable {
    package enum Method: String, Sendable {
        case get = "GET"
        /// Answer as for `get`; the server leaves the body out.
        case head = "HEAD"
    }

    package var method: Method
    /// As sent; nothing is percent-decoded.
    package var path: String
    /// The header, where there is one; of several the last.
    package var authorization: String?

    package init(method: Method, path: String, authorization: String? = nil) {
        self.method = method
        self.path = path
        self.authorization = authorization
    }
}
