internal import AgentCore
internal import Hummingbird

enum BearerToken {
    /// Longer ones are nobody's.
    static let maximumBytes = 1024

    /// The token of `Authorization: Bearer …`, nil where there is none (RFC 6750 §2.1).
    static func of(_ request: Request) -> Secret? {
        guard let header = request.headers[.authorization], header.utf8.count <= maximumBytes else { return nil }
        let parts = header.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: true)
        guard parts.count == 2, parts[0].lowercased() == "bearer" else { return nil }
        let token = parts[1].drop { $0 == " " }
        return token.isEmpty ? nil : Secret(String(token))
    }
}
