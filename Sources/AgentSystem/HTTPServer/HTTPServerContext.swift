internal import NIOCore

/// What the connections of one server share, on its event loop.
final class HTTPServerContext {
    let limits: HeartbeatServerLimits
    let handler: @Sendable (ServerRequest) -> ServerReply
    let table: HTTPConnectionTable
    /// nil for a server without TLS.
    let identity: TLSIdentity?
    var encoder = HTTPReplyEncoder()
    /// The next answer of each connection is its last.
    private(set) var isEnding = false

    init(
        limits: HeartbeatServerLimits, identity: TLSIdentity?,
        handler: @escaping @Sendable (ServerRequest) -> ServerReply
    ) {
        self.limits = limits
        self.identity = identity
        self.handler = handler
        table = HTTPConnectionTable(limit: limits.connections)
    }

    /// Done when nobody waits for an answer any more, or the time is over.
    func end(within limit: TimeAmount, on loop: any EventLoop) -> EventLoopFuture<Void> {
        isEnding = true
        let done = loop.makePromise(of: Void.self)
        let timer = loop.scheduleTask(in: limit) { done.succeed() }
        table.closeIdle()
        table.whenEmpty { done.succeed() }
        done.futureResult.whenComplete { _ in timer.cancel() }
        return done.futureResult
    }
}

@available(*, unavailable)
extension HTTPServerContext: Sendable {}
