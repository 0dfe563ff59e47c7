internal import NIOCore

/// TLS for one connection: the wire on one side, HTTP's handlers on the other.
///
/// Like the socket, it hands on no more than one read at a time, and only when asked for it. How long a handshake may
/// take, and how many there may be, is the connection's business: it is a request that has not come in yet.
final class TLSHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private enum Phase {
        /// Nothing has come. Can become `open` or `over`.
        case new
        case open
        case over
    }

    /// RFC 8446 §5.1: the record in which every handshake begins.
    private static let handshakeRecord: UInt8 = 22

    private let session: TLSSession
    private var phase = Phase.new
    private var isReadWanted = false
    private var isAdvancing = false

    init(_ session: TLSSession) {
        self.session = session
    }

    // MARK: In

    func read(context: ChannelHandlerContext) {
        isReadWanted = true
        advance(context)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        switch phase {
        case .new where bytes.getInteger(at: bytes.readerIndex) != Self.handshakeRecord: refusePlaintext(context)
        case .new, .open:
            phase = .open
            session.receive(bytes)
        case .over: break
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        advance(context)
    }

    /// Not from within itself: who is handed something asks for more at once.
    private func advance(_ context: ChannelHandlerContext) {
        guard !isAdvancing else { return }
        isAdvancing = true
        defer { isAdvancing = false }
        while isReadWanted {
            if case .over = phase { return context.read() }
            var plaintext = context.channel.allocator.buffer(capacity: HTTPConnectionHandler.bytesPerRead)
            let reading = session.read(into: &plaintext, atMost: HTTPConnectionHandler.bytesPerRead)
            // A handshake's next message, or the alert that says what is wrong.
            if let output = session.takeOutput(context.channel.allocator) {
                context.writeAndFlush(wrapOutboundOut(output), promise: nil)
            }
            switch reading {
            case .bytes:
                isReadWanted = false
                context.fireChannelRead(wrapInboundOut(plaintext))
                context.fireChannelReadComplete()
            case .nothingYet: return context.read()
            case .end, .failure: return end(context)
            }
        }
    }

    private func end(_ context: ChannelHandlerContext) {
        phase = .over
        context.close(promise: nil)
    }

    // MARK: Out

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        guard case .open = phase, session.write(unwrapOutboundIn(data)),
            let output = session.takeOutput(context.channel.allocator)
        else {
            promise?.fail(ChannelError.ioOnClosedChannel)
            return end(context)
        }
        context.write(wrapOutboundOut(output), promise: promise)
    }

    func close(context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?) {
        if case .open = phase { session.sayEnd() }
        if let output = session.takeOutput(context.channel.allocator) {
            context.writeAndFlush(wrapOutboundOut(output), promise: nil)
        }
        if case .all = mode { phase = .over }
        context.close(mode: mode, promise: promise)
    }

    /// In words that whoever forgot the `s` of `https` can read.
    private func refusePlaintext(_ context: ChannelHandlerContext) {
        phase = .over
        var encoder = HTTPReplyEncoder()
        encoder.begin()
        encoder.append(.encryptionRequired, includesBody: true, isLast: true)
        context.writeAndFlush(wrapOutboundOut(encoder.bytes), promise: nil)
        context.close(promise: nil)
    }
}

@available(*, unavailable)
extension TLSHandler: Sendable {}
