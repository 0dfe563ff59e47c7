internal import NIOCore

/// A connection that has so far brought nothing but calls of nodes. With anything else on it, it is handed over to the
/// HTTP server, beginning with the request at hand.
///
/// A waiting poll costs some four kilobytes here, forty as a request with a task of its own.
final class NodeCallHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private struct Poll {
        var node: String
        var known: String?
        var watch: AssignmentWatchers.Key
    }

    private enum Phase {
        case reading
        case polling(Poll)
        /// Somebody works on the answer.
        case busy
        /// Handed over, or closed.
        case over
    }

    private static let idleTimeout = TimeAmount.seconds(75)

    /// In the table; nil where it is not in there.
    var slot: Int?
    /// When it has waited long enough, for news or for its client.
    private(set) var deadline = NIODeadline.distantFuture

    private let gateway: NodeGateway
    private let table: NodeConnectionTable
    private let httpServer: HTTPHandover
    private var context: ChannelHandlerContext?
    private var received: ByteBuffer?
    /// `received` is the buffer of the channel's reads, which has a second one made where it is kept.
    private var isBorrowed = false
    private var phase = Phase.reading
    /// The body is not complete.
    private var announced: NodeCall?
    private var isStopping = false
    private var isProceeding = false
    /// Its client takes no answers: what it sends meanwhile is left in the kernel, and the deadline stays.
    private var isHeldUp = false

    init(_ gateway: NodeGateway, _ table: NodeConnectionTable, _ httpServer: HTTPHandover) {
        self.gateway = gateway
        self.table = table
        self.httpServer = httpServer
    }

    // MARK: Channel events

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        table.add(self)
        deadline = .now() + Self.idleTimeout
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        end()
        self.context = nil
    }

    func channelInactive(context: ChannelHandlerContext) {
        end()
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if case .over = phase { return context.fireErrorCaught(error) }
        context.close(promise: nil)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        switch (phase, event) {
        case (.over, _): context.fireUserInboundEventTriggered(event)
        // Who half-closes has sent everything, and with it hung up.
        case (_, ChannelEvent.inputClosed): context.close(promise: nil)
        case (_, is ChannelShouldQuiesceEvent): stop()
        default: context.fireUserInboundEventTriggered(event)
        }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        if case .over = phase { return context.fireChannelRead(data) }
        take(unwrapInboundIn(data))
        // More than a call and what a client may have sent ahead of its answer.
        guard let count = received?.readableBytes, count <= 2 * EventBatch.maximumBytes else {
            return context.close(promise: nil)
        }
        proceed()
        giveBack(context)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        if isHeldUp, context.channel.isWritable {
            hold(false, context)
            deadline = .now() + Self.idleTimeout
            proceed()
        }
        context.fireChannelWritabilityChanged()
    }

    private func hold(_ isHeldUp: Bool, _ context: ChannelHandlerContext) {
        self.isHeldUp = isHeldUp
        // Fails only where the channel is closed.
        try? context.channel.syncOptions?.setOption(.autoRead, value: !isHeldUp)
    }

    private func take(_ bytes: ByteBuffer) {
        guard received != nil else {
            (received, isBorrowed) = (bytes, true)
            return
        }
        received?.writeImmutableBuffer(bytes)
    }

    /// What is not answered yet is copied: the channel goes on with the one small buffer that it has.
    private func giveBack(_ context: ChannelHandlerContext) {
        guard isBorrowed, let rest = received else { return }
        isBorrowed = false
        var own = context.channel.allocator.buffer(capacity: max(announced?.totalBytes ?? 0, rest.readableBytes))
        own.writeImmutableBuffer(rest)
        received = own
    }

    // MARK: Calls

    /// Answers what it can. Not from within itself: a client may have sent hundreds of calls at once.
    private func proceed() {
        guard !isProceeding else { return }
        isProceeding = true
        defer { isProceeding = false }
        while !isHeldUp, case .reading = phase, let bytes = received?.readableBytesView, !bytes.isEmpty {
            switch announced.map(NodeCallReader.Reading.call) ?? NodeCallReader.read(bytes) {
            case .incomplete: return
            case .somethingElse: return leaveToServer()
            case .call(let call):
                // Before its body is waited for: a stranger's is not held.
                guard announced != nil || gateway.isAllowed(call) else { return leaveToServer() }
                announced = call
                guard bytes.count >= call.totalBytes else { return }
                announced = nil
                perform(call, Array(bytes.dropFirst(call.headBytes).prefix(call.bodyBytes)))
            }
        }
    }

    private func perform(_ call: NodeCall, _ body: [UInt8]) {
        switch call.kind {
        case .poll(let seconds, let known):
            consume(call)
            poll(call.node, known: known, seconds: seconds)
        case .options:
            consume(call)
            answer(.allowing(EventRoute.allowed))
        case .heartbeat:
            guard let reply = gateway.heartbeat(of: call.node, body) else { return leaveToServer() }
            consume(call)
            answer(reply)
        case .events(let isBatch):
            phase = .busy
            let isTaken = gateway.events(
                of: call.node, body, isBatch: isBatch,
                later { [self] reply in
                    // Refused as a whole: what to say then is the server's to know.
                    guard let reply else { return leaveToServer() }
                    consume(call)
                    answer(reply)
                })
            if !isTaken { leaveToServer() }
        }
    }

    private func consume(_ call: NodeCall) {
        received?.moveReaderIndex(forwardBy: call.totalBytes)
        // A buffer is kept for as long as it holds something: most connections wait most of the time.
        if received?.readableBytes == 0 { received = nil }
    }

    private func answer(_ reply: NodeCallReply) {
        guard let context else { return }
        phase = .reading
        deadline = .now() + Self.idleTimeout
        let bytes = reply.encoded(isLast: isStopping, date: table.dateText(), context.channel.allocator)
        context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
        if isStopping { return context.close(promise: nil) }
        guard context.channel.isWritable else { return hold(true, context) }
        proceed()
    }

    /// Hands a result over to this loop, from whichever thread; dropped where the connection has ended meanwhile.
    private func later<Result: Sendable>(_ body: @escaping (Result) -> Void) -> @Sendable (Result) -> Void {
        guard let loop = context?.eventLoop else { return { _ in } }
        let bound = NIOLoopBound(body, eventLoop: loop)
        let handler = NIOLoopBound(self, eventLoop: loop)
        return { result in
            loop.execute {
                guard case .busy = handler.value.phase else { return }
                bound.value(result)
            }
        }
    }

    private func leaveToServer() {
        phase = .over
        table.remove(self)
        guard let context else { return }
        let bytes = received
        received = nil
        httpServer.take(context.channel)
        if let bytes {
            context.fireChannelRead(wrapInboundOut(bytes))
            context.fireChannelReadComplete()
        }
        context.pipeline.syncOperations.removeHandler(self, promise: nil)
    }

    private func end() {
        if case .polling(let poll) = phase { gateway.watchers.remove(poll.watch, of: poll.node) }
        if case .over = phase { return }
        phase = .over
        table.remove(self)
        received = nil
        httpServer.connections.ended()
    }
}

// MARK: Polls

extension NodeCallHandler {
    private func poll(_ node: String, known: String?, seconds: Int64) {
        guard let loop = context?.eventLoop else { return }
        let handler = NIOLoopBound(self, eventLoop: loop)
        let watch: AssignmentWatchers.Key
        do {
            // Registered first and looked second, so that no change falls between the two.
            watch = try gateway.watchers.add(node) { loop.execute { handler.value.hasNews() } }
        } catch {
            return answer(.problem(.unavailable(error.detail)))
        }
        phase = .polling(Poll(node: node, known: known, watch: watch))
        let news = gateway.news(of: node, known: known)
        if case .none = news, seconds > 0, !isStopping {
            deadline = .now() + .seconds(seconds)
        } else {
            answerPoll()
        }
    }

    private func hasNews() {
        if case .polling = phase { answerPoll() }
    }

    private func answerPoll() {
        guard case .polling(let poll) = phase else { return }
        gateway.watchers.remove(poll.watch, of: poll.node)
        switch gateway.news(of: poll.node, known: poll.known) {
        case .none(let etag): answerPoll(.unchanged(etag))
        case .revoked: answer(.problem(.revoked(poll.node)))
        case .unknown: answer(.problem(.notFound("there is no node \(poll.node)")))
        case .assignment:
            phase = .busy
            gateway.assignment(of: poll.node, later { [self] in answerPoll($0) })
        }
    }

    private func answerPoll(_ reply: NodeCallReply) {
        var reply = reply
        reply.heartbeatInterval = gateway.fleet.wantedInterval
        answer(reply)
    }

    /// The deadline is over.
    func isDue() {
        switch phase {
        case .polling: answerPoll()
        case .reading: context?.close(promise: nil)
        case .busy, .over: break
        }
    }

    /// The server stops: what waits is answered, what is under way is finished.
    private func stop() {
        isStopping = true
        switch phase {
        case .polling: answerPoll()
        case .reading: context?.close(promise: nil)
        case .busy, .over: break
        }
    }
}

@available(*, unavailable)
extension NodeCallHandler: Sendable {}
