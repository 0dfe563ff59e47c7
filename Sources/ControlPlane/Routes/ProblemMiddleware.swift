internal import AgentWire
internal import Hummingbird
internal import Logging

/// Turns whatever a route throws into an RFC 9457 problem. What is not the client's doing is logged here, once.
struct ProblemMiddleware<Context: RequestContext>: RouterMiddleware {
    let methods: PathMethods

    func handle(
        _ request: Request, context: Context, next: @concurrent (Request, Context) async throws -> Response
    ) async throws -> Response {
        do {
            return try await next(request, context)
        } catch {
            return .problem(problem(for: error, request, context.logger))
        }
    }

    private func problem(for error: any Error, _ request: Request, _ logger: Logger) -> Problem {
        switch error {
        case let problem as Problem:
            return problem
        case let document as InvalidDocument:
            return .invalid(document)
        case let limit as TooManyWatchers:
            return .unavailable(limit.detail)
        case is StoreOverloaded:
            return .unavailable("more events wait for the disk than there is room for", retryAfter: 1)
        case let error as HTTPError where error.status == .notFound:
            if let allowed = methods.allowed(for: request.uri.path) { return .methodNotAllowed(allowed) }
            return .notFound("there is no \(request.uri.path)")
        case let error as HTTPError:
            return Problem(status: error.status.code, title: error.status.reasonPhrase, detail: error.body ?? "")
        case is CancellationError:
            // The client is gone or the server is: nobody reads this.
            return .unavailable("the request was given up")
        case let failure as StoreFailure:
            logger.error("database unusable", metadata: ["reason": "\(failure.message)"])
            return .unavailable("the database cannot be used; the control plane's log says why")
        default:
            logger.error("request failed", metadata: ["path": "\(request.uri.path)", "reason": "\(error)"])
            return .internalError
        }
    }
}
