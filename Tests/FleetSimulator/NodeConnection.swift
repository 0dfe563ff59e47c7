internal import NIOCore

/// One connection of a node, one request at a time. Reads what this control plane answers, and no more of HTTP.
final class NodeConnection: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    struct Reply {
        var status: Int
        /// Names in lower case.
        var headers: [String: String]
        var body: [UInt8]
    }

    private var context: ChannelHandlerContext?
    private var received = ByteBuffer()
    private var waiting: ((Reply?) -> Void)?
    private let closed: (NodeConnection) -> Void

    init(closed: @escaping (NodeConnection) -> Void) {
        self.closed = closed
    }

    /// Nothing is on its way.
    var isFree: Bool { waiting == nil && context != nil }

    /// `answered` gets nil where the connection ends first. Only where `isFree`.
    func send(_ request: ByteBuffer, answered: @escaping (Reply?) -> Void) {
        guard let context else { return answered(nil) }
        waiting = answered
        context.writeAndFlush(wrapOutboundOut(request), promise: nil)
    }

    func close() {
        context?.close(promise: nil)
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.context = nil
        let waiting = waiting
        self.waiting = nil
        closed(self)
        waiting?(nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var buffer = unwrapInboundIn(data)
        received.writeBuffer(&buffer)
        guard let reply = takeReply() else { return }
        // A hundred thousand of them wait most of the time: nothing is kept for the next answer.
        received = ByteBuffer()
        if reply.headers["connection"] == "close" {
            self.context = nil
            context.close(promise: nil)
        }
        let answered = waiting
        waiting = nil
        answered?(reply)
    }

    private func takeReply() -> Reply? {
        let view = received.readableBytesView
        guard let end = view.firstRange(of: "\r\n\r\n".utf8) else { return nil }
        let head = String(decoding: view[..<end.lowerBound], as: UTF8.self)
        // "\r\n" is one Character.
        var lines = head.split(separator: "\r\n")
        guard !lines.isEmpty, let status = Int(lines.removeFirst().split(separator: " ")[1]) else { return nil }
        var headers: [String: String] = [:]
        for line in lines {
            guard let colon = line.firstIndex(of: ":") else { continue }
            headers[line[..<colon].lowercased()] = line[line.index(after: colon)...].drop { $0 == " " }.lowercased()
        }
        let length = status == 304 || status == 204 ? 0 : Int(headers["content-length"] ?? "0") ?? 0
        guard view[end.upperBound...].count >= length else { return nil }
        return Reply(status: status, headers: headers, body: Array(view[end.upperBound...].prefix(length)))
    }
}

@available(*, unavailable)
extension NodeConnection: Sendable {}
