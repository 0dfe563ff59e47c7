internal import HummingbirdCore
internal import Locking
internal import Logging
internal import NIOCore

/// Connections begin as a node's; the HTTP server gets those that are something else.
struct NodeFirstChannel: ServerChildChannel {
    struct Value: ServerChildChannelValue {
        let channel: any Channel
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

    private let gateway: NodeGateway
    private let httpServer: HTTPHandover
    private let tables = Tables()

    init(gateway: NodeGateway, httpServer: HTTPHandover) {
        self.gateway = gateway
        self.httpServer = httpServer
    }

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        channel.eventLoop.makeCompletedFuture {
            let handler = NodeCallHandler(gateway, tables.table(of: channel.eventLoop), httpServer)
            try channel.syncOptions?.setOption(.recvAllocator, value: Self.buffers)
            try channel.pipeline.syncOperations.addHandler(handler)
            httpServer.connections.opened()
            return Value(channel: channel)
        }
    }

    /// Its handlers do all of it, without a task.
    func handle(value: Value, logger: Logger) async {}
}
