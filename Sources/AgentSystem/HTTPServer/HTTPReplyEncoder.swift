internal import Glibc
internal import NIOCore
internal import NIOHTTP1

/// Writes a reply as one buffer, so that it leaves in one system call.
struct HTTPReplyEncoder {
    private var date = HTTPDate()

    /// `isLast`: the connection ends after this reply.
    mutating func encode(
        _ reply: ServerReply, includesBody: Bool, isLast: Bool, allocator: ByteBufferAllocator
    ) -> ByteBuffer {
        var buffer = allocator.buffer(capacity: 256 + reply.body.count)
        buffer.writeString("HTTP/1.1 \(reply.status) ")
        buffer.writeString(HTTPResponseStatus(statusCode: reply.status).reasonPhrase)
        buffer.writeString("\r\ndate: ")
        buffer.writeString(date.text(at: time(nil)))
        // RFC 9110 §8.6: no Content-Length in 204, and none that could mislead in 304.
        let hasBody = reply.status != 204 && reply.status != 304
        if hasBody {
            buffer.writeString("\r\ncontent-type: ")
            buffer.writeString(reply.contentType)
            buffer.writeString("\r\ncontent-length: \(reply.body.count)")
        }
        for header in reply.headers {
            buffer.writeString("\r\n\(header.name): \(header.value)")
        }
        buffer.writeString(isLast ? "\r\nconnection: close\r\n\r\n" : "\r\n\r\n")
        if hasBody, includesBody {
            buffer.writeBytes(reply.body)
        }
        return buffer
    }
}
