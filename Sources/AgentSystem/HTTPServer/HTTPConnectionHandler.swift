internal import Glibc
internal import NIOCore
internal import NIOHTTP1

/// One connection: answers requests in their order, and reads no more while an answer is on its way.
///
/// What a client can make the server hold is therefore what one read brings (`bytesPerRead`), and `bytesPerWrite` of
/// answers or a single one.
final class HTTPConnectionHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = ByteBuffer

    static let bytesPerRead = 4096
    private static let bytesPerWrite = 16 << 10
    /// A read holds fewer requests than this; more can only come from a client that has already gone away.
    private static let maximumQueue = 512

    private enum Phase {
        /// Can become `answering` or `lingering`.
        case reading
        /// An answer is not yet in the kernel. Can become `reading` or `lingering`.
        case answering
        /// The last answer is out; input is dropped so that closing does not reset the connection under it.
        case lingering
    }

    private let context: HTTPServerContext
    private var channelContext: ChannelHandlerContext?
    private var reader: HTTPRequestReader
    private var queue = CircularBuffer<HTTPRequestReader.Item>()
    private var phase = Phase.reading
    private var hasAnswered = false
    /// When it will be closed unless something is done by then.
    private(set) var deadline = NIODeadline.now()
    private var timer: Scheduled<Void>?

    init(_ context: HTTPServerContext) {
        self.context = context
        reader = HTTPRequestReader(maximumBodyBytes: context.limits.bodyBytes)
    }

    /// It was answered, and has asked for nothing since.
    var isIdle: Bool {
        switch phase {
        case .reading: hasAnswered && reader.isBetweenRequests && queue.isEmpty
        case .answering: false
        case .lingering: true
        }
    }

    /// An answer that its client does not take goes with the connection: the kernel would keep it for as long as the
    /// client likes.
    func close() {
        guard let channelContext else { return }
        if case .answering = phase {
            _ = (channelContext.channel as? any SocketOptionProvider)?.setSoLinger(linger(l_onoff: 1, l_linger: 0))
        }
        channelContext.close(promise: nil)
    }

    // MARK: Channel events

    func handlerAdded(context: ChannelHandlerContext) {
        channelContext = context
        extendDeadline(by: self.context.limits.idleTimeout)
        self.context.table.admit(self)
        armTimer(context)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        timer?.cancel()
        channelContext = nil
        self.context.table.remove(self)
    }

    func channelActive(context: ChannelHandlerContext) {
        context.read()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard let item = reader.take(unwrapInboundIn(data)) else { return }
        enqueue(item, context)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        proceed(context)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if case .lingering = phase { return }
        guard let error = error as? HTTPParserError else { return context.close(promise: nil) }
        guard let item = reader.fail(error) else { return }
        enqueue(item, context)
        answerQueue(context)
    }

    // MARK: Answers

    private func enqueue(_ item: HTTPRequestReader.Item, _ context: ChannelHandlerContext) {
        guard queue.count < Self.maximumQueue else { return context.close(promise: nil) }
        queue.append(item)
    }

    /// Answers what it can, and reads on only when nothing is on its way out.
    private func proceed(_ context: ChannelHandlerContext) {
        answerQueue(context)
        switch phase {
        case .reading, .lingering: context.read()
        case .answering: break
        }
    }

    private func answerQueue(_ context: ChannelHandlerContext) {
        // A write that completes at once leaves the phase at `reading`, and the loop goes on.
        while case .reading = phase, !queue.isEmpty {
            let isLast = encodeAnswers()
            write(self.context.encoder.bytes, isLast: isLast, context)
        }
    }

    /// As many as one write takes. True where the connection ends with them.
    private func encodeAnswers() -> Bool {
        var isLast = false
        context.encoder.begin()
        while !isLast, context.encoder.bytes.readableBytes < Self.bytesPerWrite, let item = queue.popFirst() {
            switch item {
            case .request(let request, let isLastRequest):
                let reply = context.handler(request)
                isLast = isLastRequest || context.isEnding
                context.encoder.append(reply, includesBody: request.method != .head, isLast: isLast)
            case .refusal(let reply, let includesBody):
                isLast = true
                context.encoder.append(reply, includesBody: includesBody, isLast: true)
            }
        }
        return isLast
    }

    private func write(_ bytes: ByteBuffer, isLast: Bool, _ context: ChannelHandlerContext) {
        phase = .answering
        let written = context.eventLoop.makePromise(of: Void.self)
        var isSynchronous = true
        written.futureResult.assumeIsolated().whenSuccess { [self] in
            answerIsOut(isLast: isLast, context)
            if !isSynchronous { proceed(context) }
        }
        context.writeAndFlush(wrapOutboundOut(bytes), promise: written)
        isSynchronous = false
    }

    private func answerIsOut(isLast: Bool, _ context: ChannelHandlerContext) {
        hasAnswered = true
        guard isLast else {
            phase = .reading
            return extendDeadline(by: self.context.limits.idleTimeout)
        }
        phase = .lingering
        queue.removeAll()
        extendDeadline(by: self.context.limits.lingerTimeout)
        armTimer(context)
        context.close(mode: .output, promise: nil)
    }

    // MARK: Time

    private func extendDeadline(by duration: Duration) {
        deadline = .now() + TimeAmount(duration)
    }

    /// Instead of a timer for every request, one that looks again when it comes too early.
    private func armTimer(_ context: ChannelHandlerContext) {
        timer?.cancel()
        timer = context.eventLoop.assumeIsolated().scheduleTask(deadline: deadline) { [self] in
            guard deadline <= .now() else { return armTimer(context) }
            close()
        }
    }
}

@available(*, unavailable)
extension HTTPConnectionHandler: Sendable {}
