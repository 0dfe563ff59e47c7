/// What the server answers by itself, as RFC 9457 problems.
extension ServerReply {
    static let methodNotAllowed = refusal(
        405, "Method Not Allowed", "only GET and HEAD are answered here", headers: [Header("allow", "GET, HEAD")])
    static let malformed = refusal(400, "Bad Request", "this is not an HTTP/1.1 request")
    static let contentTooLarge = refusal(413, "Content Too Large", "requests have no body here")
    static let headersTooLarge = refusal(431, "Request Header Fields Too Large", "send fewer or shorter headers")
    static let encryptionRequired = refusal(400, "Bad Request", "this port speaks TLS: use https")

    private static func refusal(
        _ status: Int, _ title: String, _ detail: String, headers: [Header] = []
    ) -> ServerReply {
        let problem = #"{"type":"about:blank","title":"\#(title)","status":\#(status),"detail":"\#(detail)"}"#
        return ServerReply(
            status: status, contentType: "application/problem+json", body: Array(problem.utf8), headers: headers)
    }
}
