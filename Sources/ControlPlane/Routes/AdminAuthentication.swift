internal import AgentCore
internal import Hummingbird

/// Guards the operator's endpoints where an admin token is set. Without one the server listens on loopback only.
struct AdminAuthentication<Context: RequestContext>: RouterMiddleware {
    private let expected: TokenDigest?

    init(token: Secret?) {
        expected = token.map(TokenDigest.init)
    }

    func handle(
        _ request: Request, context: Context, next: @concurrent (Request, Context) async throws -> Response
    ) async throws -> Response {
        if let expected {
            guard let token = BearerToken.of(request) else {
                throw Problem.unauthorized("this endpoint needs the admin token: Authorization: Bearer …")
            }
            guard TokenDigest(of: token) == expected else {
                throw Problem.unauthorized("this is not the admin token")
            }
        }
        return try await next(request, context)
    }
}
