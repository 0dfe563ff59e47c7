internal import Locking
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix

/// HTTP/1.1 in, for small answers made on the spot: one event loop, one thread.
package final class HeartbeatServer: Sendable {
    private struct Running {
        var group: MultiThreadedEventLoopGroup
        var listener: any Channel
        var context: EventLoopFuture<NIOLoopBound<HTTPServerContext>>
    }

    /// For connections that have not been answered yet when the server ends.
    private static let lastAnswers = TimeAmount.milliseconds(200)

    private let host: String
    private let port: UInt16
    private let limits: HeartbeatServerLimits
    private let tls: TLSFiles?
    private let complain: @Sendable (String) -> Void
    private let handler: @Sendable (ServerRequest) -> ServerReply
    private let running = Mutex<Running?>(nil)

    /// `host`: an IP address. `port`: 0 for any free one. `handler` is called on the event loop and must not block.
    /// `tls`: nil for a server without it. `complain` hears of certificates that cannot be used.
    package init(
        host: String,
        port: UInt16,
        limits: HeartbeatServerLimits = HeartbeatServerLimits(),
        tls: TLSFiles? = nil,
        complain: @escaping @Sendable (String) -> Void = { _ in },
        handler: @escaping @Sendable (ServerRequest) -> ServerReply
    ) {
        self.host = host
        self.port = port
        self.limits = limits
        self.tls = tls
        self.complain = complain
        self.handler = handler
    }

    /// Answers from here on, and returns the port. To be called once: everything it makes lives until `run()` has
    /// ended, which must follow.
    ///
    /// `listener` is a socket that listens already; the server owns it from here on. `keep` is given one that the server
    /// has made itself, and must not close it.
    package func start(
        on listener: Int32? = nil, keep: @escaping @Sendable (Int32) -> Void = { _ in }
    ) async throws(HeartbeatServerFailure) -> UInt16 {
        guard let address = try? SocketAddress(ipAddress: host, port: Int(port)) else {
            throw .notAnAddress(host)
        }
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        // NIO makes its epoll descriptor without EPOLL_CLOEXEC.
        CloseOnExec.markSocketsAndAnonymousInodes()
        do {
            let context = makeContext(on: group.next())
            let bootstrap = bootstrap(group, context)
            let channel: any Channel
            if let listener {
                channel = try await bootstrap.withBoundSocket(listener).get()
            } else {
                channel = try await bootstrap.bind(to: address).get()
                try await channel.eventLoop.submit { try Self.withDescriptor(of: channel, keep) }.get()
            }
            running.withLock { $0 = Running(group: group, listener: channel, context: context) }
            return UInt16(clamping: channel.localAddress?.port ?? 0)
        } catch {
            try? await group.shutdownGracefully()
            throw HeartbeatServerFailure(error, host: host, port: port)
        }
    }

    /// Serves until its task is cancelled; a connection that waits for its first answer then still gets it. When it
    /// returns, every connection is closed and the thread has ended.
    package func run() async {
        guard let running = running.withLock({ $0.take() }) else { return }
        await withTaskCancellationHandler {
            try? await running.listener.closeFuture.get()
        } onCancel: {
            running.listener.close(promise: nil)
        }
        try? await running.context.flatMap { $0.value.end(within: Self.lastAnswers, on: $0.eventLoop) }.get()
        // Closes what is still registered with the loop: the connections.
        try? await running.group.shutdownGracefully()
    }

    /// Made on the loop and used nowhere else: with one loop, every connection runs there.
    private func makeContext(on loop: any EventLoop) -> EventLoopFuture<NIOLoopBound<HTTPServerContext>> {
        loop.submit { [limits, tls, complain, handler] in
            let identity = tls.map { TLSIdentity($0, complain: complain) }
            let context = HTTPServerContext(limits: limits, identity: identity, handler: handler)
            return NIOLoopBound(context, eventLoop: loop)
        }
    }

    private func bootstrap(
        _ group: MultiThreadedEventLoopGroup, _ context: EventLoopFuture<NIOLoopBound<HTTPServerContext>>
    ) -> ServerBootstrap {
        ServerBootstrap(group: group)
            // A crowd must not fill the queue in front of a health check: who finds it full asks again a second later.
            .serverChannelOption(.backlog, value: 1024)
            .serverChannelOption(.maxMessagesPerRead, value: 64)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .serverChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture { try Self.markCloseOnExec(channel) }
            }
            .childChannelOption(.autoRead, value: false)
            .childChannelOption(.maxMessagesPerRead, value: 1)
            .childChannelOption(
                .recvAllocator,
                value: FixedSizeRecvByteBufferAllocator(capacity: HTTPConnectionHandler.bytesPerRead)
            )
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { channel in
                context.flatMapThrowing { try Self.serve(channel, $0.value) }
            }
    }

    private static func serve(_ channel: any Channel, _ context: HTTPServerContext) throws {
        try markCloseOnExec(channel)
        var decoderLimits = NIOHTTPDecoderLimitConfiguration()
        decoderLimits.maxHeaderFieldSize = context.limits.headerBytes
        decoderLimits.maxHeaderListSize = context.limits.headerBytes
        let decoder = HTTPRequestDecoder(leftOverBytesStrategy: .dropBytes, limitConfiguration: decoderLimits)
        let pipeline = channel.pipeline.syncOperations
        if let identity = context.identity {
            // Who connects meanwhile is hung up on.
            guard let session = identity.makeSession() else { throw NoCertificate() }
            try pipeline.addHandler(TLSHandler(session))
        }
        try pipeline.addHandler(ByteToMessageHandler(decoder))
        try pipeline.addHandler(HTTPConnectionHandler(context))
    }

    private struct NoCertificate: Error {}

    /// NIO's `accept4` and `socket` lack the flag.
    private static func markCloseOnExec(_ channel: any Channel) throws {
        try withDescriptor(of: channel) { CloseOnExec.mark($0) }
    }

    private static func withDescriptor(of channel: any Channel, _ use: (Int32) -> Void) throws {
        try channel.pipeline.syncOperations.withUnsafeTransportIfAvailable(of: NIOBSDSocket.Handle.self) { use($0) }
    }
}
