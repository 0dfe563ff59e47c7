internal import HummingbirdCore
internal import Locking
internal import Logging
internal import NIOCore

/// Connections begin as a node's; the HTTP server gets those that are something else.
struct NodeFirstChannel: ServerChildChannel {
    struct Value: ServerChildChannelValue {
        let channel: any Channel
        /// nil where the connection ended without the HTTP server.
        let handedOver: EventLoopFuture<HTTP1Channel.Value?>
    }

    private final class Tables: Sendable {
        private let tables = Mutex<[ObjectIdentifier: NIOLoopBound<NodeConnectionTable>]>([:])

        /// On the loop.
        func table(of loop: any EventLoop) -> NodeConnectionTable {
            tables.withLock { tables in
                let key = ObjectIdentifier(loop)
                if let table = tables[key] { return table }
                let table = NIOLoopBound(NodeConnectionTable(loop), eventLoop: loop)
                tables[key] = table
                return table
            }.value
        }
    }

    /// A channel keeps its buffer for as long as it lives, which most of the time is waiting: a poll fits into the small
    /// one, and a heartbeat comes in a few reads.
    private static let buffers = AdaptiveRecvByteBufferAllocator(minimum: 256, initial: 256, maximum: 1 << 10)

    private let server: HTTP1Channel
    private let gateway: NodeGateway
    private let tables = Tables()

    init(server: HTTP1Channel, gateway: NodeGateway) {
        self.server = server
        self.gateway = gateway
    }

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        let promise = channel.eventLoop.makePromise(of: HTTP1Channel.Value?.self)
        return channel.eventLoop.makeCompletedFuture {
            let handler = NodeCallHandler(gateway, tables.table(of: channel.eventLoop)) { [server] toServer in
                guard toServer else { return promise.succeed(nil) }
                let handedOver = server.setup(channel: channel, logger: logger)
                handedOver.whenFailure { _ in channel.close(promise: nil) }
                promise.completeWith(handedOver.map(Optional.some))
            }
            do {
                try channel.syncOptions?.setOption(.recvAllocator, value: Self.buffers)
                try channel.pipeline.syncOperations.addHandler(handler)
            } catch {
                promise.fail(error)
                throw error
            }
            return Value(channel: channel, handedOver: promise.futureResult)
        }
    }

    func handle(value: Value, logger: Logger) async {
        // It fails where the connection was gone before the server had it.
        guard let connection = try? await value.handedOver.get() else { return }
        await server.handle(value: connection, logger: logger)
    }
}
