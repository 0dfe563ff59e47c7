internal import AgentCore
internal import FoundationEssentials
internal import Hummingbird

/// Guards the pages, where an admin token is set, with what every browser can do: the token is the password (RFC 7617).
///
/// A browser sends it along with whatever another site makes it ask for. So it opens the pages alone, which change
/// nothing; the API takes bearer tokens only.
struct PageAuthentication<Context: RequestContext>: RouterMiddleware {
    private let expected: TokenDigest?

    init(token: Secret?) {
        expected = token.map(TokenDigest.init)
    }

    func handle(
        _ request: Request, context: Context, next: @concurrent (Request, Context) async throws -> Response
    ) async throws -> Response {
        guard let expected else { return try await next(request, context) }
        guard let password = BasicPassword.of(request), TokenDigest(of: password) == expected else {
            throw Problem.passwordNeeded
        }
        return try await next(request, context)
    }
}

enum BasicPassword {
    /// The password of `Authorization: Basic …`, nil where there is none.
    static func of(_ request: Request) -> Secret? {
        guard let header = request.headers[.authorization], header.utf8.count <= BearerToken.maximumBytes else {
            return nil
        }
        let parts = header.split(separator: " ", maxSplits: 1)
        guard parts.count == 2, parts[0].lowercased() == "basic", let decoded = Data(base64Encoded: String(parts[1])),
            let text = String(validating: decoded, as: UTF8.self), let colon = text.firstIndex(of: ":")
        else { return nil }
        return Secret(String(text[text.index(after: colon)...]))
    }
}

extension Problem {
    static let passwordNeeded = Problem(
        status: 401, title: "Unauthorized", detail: "any name, and the admin token for the password",
        headers: [Header(name: "WWW-Authenticate", value: "Basic realm=\"crosslogic\", charset=\"UTF-8\"")])
}
