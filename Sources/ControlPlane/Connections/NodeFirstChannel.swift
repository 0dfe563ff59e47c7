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

    private let server: HTTP1Channel
    private let gateway: NodeGateway
    private let handedOver: HandedOverConnections
    private let tables = Tables()

    init(server: HTTP1Channel, gateway: NodeGateway, handedOver: HandedOverConnections) {
        self.server = server
        self.gateway = gateway
        self.handedOver = handedOver
    }

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        channel.eventLoop.makeCompletedFuture {
            let handler = NodeCallHandler(gateway, tables.table(of: channel.eventLoop)) { [self] toServer in
                if toServer { handOver(channel, logger) } else { handedOver.ended() }
            }
            try channel.syncOptions?.setOption(.recvAllocator, value: Self.buffers)
            try channel.pipeline.syncOperations.addHandler(handler)
            handedOver.opened()
            return Value(channel: channel)
        }
    }

    private func handOver(_ channel: any Channel, _ logger: Logger) {
        server.setup(channel: channel, logger: logger).whenComplete { [server, handedOver] result in
            switch result {
            case .success(let connection): handedOver.serve(connection, by: server, logger)
            case .failure:
                channel.close(promise: nil)
                handedOver.ended()
            }
        }
    }

    /// Its handlers do all of it, without a task.
    func handle(value: Value, logger: Logger) async {}
}
