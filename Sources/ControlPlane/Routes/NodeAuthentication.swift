internal import Hummingbird

/// Proof that the request came with the token of the node its path names.
struct AuthenticatedNode: Sendable {
    let id: String

    fileprivate init(id: String) {
        self.id = id
    }
}

struct NodeAuthentication: Sendable {
    let store: NodeStore

    /// Looks before the body is read, so that a stranger cannot make the server hold one.
    /// - Throws: `Problem` 401, 403 or 404.
    func node(of request: Request, _ context: some RequestContext) async throws -> AuthenticatedNode {
        let id = try context.parameters.require("id")
        guard let token = BearerToken.of(request) else {
            throw Problem.unauthorized("this endpoint needs the node's token: Authorization: Bearer …")
        }
        switch try await store.owner(of: TokenDigest(of: token), claiming: id) {
        case .thisNode: return AuthenticatedNode(id: id)
        case .anotherNode: throw Problem.forbidden("this token belongs to another node")
        case .nobody: throw Problem.unauthorized("no node has this token")
        case .unknownNode: throw Problem.notFound("there is no node \(id)")
        }
    }
}
