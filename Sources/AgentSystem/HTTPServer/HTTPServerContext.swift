/// What the connections of one server share, on its event loop.
final class HTTPServerContext {
    let limits: HeartbeatServerLimits
    let handler: @Sendable (ServerRequest) -> ServerReply
    let table: HTTPConnectionTable
    var encoder = HTTPReplyEncoder()

    init(limits: HeartbeatServerLimits, handler: @escaping @Sendable (ServerRequest) -> ServerReply) {
        self.limits = limits
        self.handler = handler
        table = HTTPConnectionTable(limit: limits.connections)
    }
}

@available(*, unavailable)
extension HTTPServerContext: Sendable {}
