internal import Glibc
internal import NIOCore
internal import NIOHTTP1

/// Writes replies one behind the other into one buffer, so that they leave in one system call.
struct HTTPReplyEncoder {
    /// Bytes of a buffer that is kept for the next replies.
    private static let keptCapacity = 256 << 10

    private var date = HTTPDate()
    /// What was appended since `begin`. Its memory is used again once nobody else holds it.
    private(set) var bytes = ByteBuffer()

    mutating func begin() {
        if bytes.capacity > Self.keptCapacity { bytes = ByteBuffer() } else { bytes.clear() }
    }

    /// `isLast`: the connection ends after this reply.
    mutating func append(_ reply: ServerReply, includesBody: Bool, isLast: Bool) {
        bytes.writeStaticString("HTTP/1.1 ")
        bytes.writeString(String(reply.status))
        bytes.writeStaticString(" ")
        bytes.writeString(HTTPResponseStatus(statusCode: reply.status).reasonPhrase)
        bytes.writeStaticString("\r\ndate: ")
        bytes.writeString(date.text(at: time(nil)))
        // RFC 9110 §8.6: no Content-Length in 204, and none that could mislead in 304.
        let hasBody = reply.status != 204 && reply.status != 304
        if hasBody {
            bytes.writeStaticString("\r\ncontent-type: ")
            bytes.writeString(reply.contentType)
            bytes.writeStaticString("\r\ncontent-length: ")
            bytes.writeString(String(reply.body.count))
        }
        for header in reply.headers { bytes.writeString("\r\n\(header.name): \(header.value)") }
        bytes.writeStaticString(isLast ? "\r\nconnection: close\r\n\r\n" : "\r\n\r\n")
        if hasBody, includesBody { bytes.writeBytes(reply.body) }
    }
}
