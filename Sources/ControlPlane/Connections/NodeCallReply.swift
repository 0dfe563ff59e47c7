internal import AgentWire
internal import Glibc
internal import NIOCore

/// An answer to a `NodeCall`.
struct NodeCallReply: Sendable {
    var status: String
    var etag: String?
    var allow: String?
    var retryAfter: Int?
    /// Seconds; with answers to polls, where heartbeats are wanted.
    var heartbeatInterval: Int?
    var type = "application/json"
    /// nil for an answer that has none.
    var body: [UInt8]?

    static func allowing(_ methods: String) -> NodeCallReply {
        NodeCallReply(status: "204 No Content", allow: methods)
    }

    static func unchanged(_ etag: String) -> NodeCallReply {
        NodeCallReply(status: "304 Not Modified", etag: etag)
    }

    static func document(_ document: JSONValue, etag: String? = nil) -> NodeCallReply {
        NodeCallReply(status: "200 OK", etag: etag, body: document.rendered())
    }

    static func problem(_ problem: Problem) -> NodeCallReply {
        let seconds = problem.headers.first { $0.name == "Retry-After" }.flatMap { Int($0.value) }
        return NodeCallReply(
            status: "\(problem.status) \(problem.title)", retryAfter: seconds, type: "application/problem+json",
            body: problem.document.rendered())
    }

    /// As one buffer, so that it leaves in one system call.
    func encoded(isLast: Bool, date: String, _ allocator: ByteBufferAllocator) -> ByteBuffer {
        var buffer = allocator.buffer(capacity: 192 + (body?.count ?? 0))
        buffer.writeString("HTTP/1.1 \(status)\r\nDate: \(date)\r\n")
        if let etag { buffer.writeString("ETag: \(etag)\r\n") }
        if let allow { buffer.writeString("Allow: \(allow)\r\n") }
        if let retryAfter { buffer.writeString("Retry-After: \(retryAfter)\r\n") }
        if let heartbeatInterval { buffer.writeString("\(HeartbeatRoute.intervalHeader): \(heartbeatInterval)\r\n") }
        if isLast { buffer.writeString("Connection: close\r\n") }
        if let body {
            buffer.writeString("Cache-Control: no-store\r\nContent-Type: \(type)\r\nContent-Length: \(body.count)\r\n")
        }
        buffer.writeString("\r\n")
        if let body { buffer.writeBytes(body) }
        return buffer
    }
}

/// The `Date` header (RFC 9110 §6.6.1), made once a second.
struct HTTPDateText {
    private var second: time_t = -1
    private var text = ""

    private static let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    private static let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

    mutating func now() -> String {
        var now = time(nil)
        guard now != second else { return text }
        var parts = tm()
        gmtime_r(&now, &parts)
        func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
        second = now
        text =
            "\(Self.days[Int(parts.tm_wday)]), \(two(parts.tm_mday)) \(Self.months[Int(parts.tm_mon)]) "
            + "\(parts.tm_year + 1900) \(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec)) GMT"
        return text
    }
}
