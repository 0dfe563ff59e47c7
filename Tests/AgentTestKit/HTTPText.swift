/// Just enough of HTTP/1.1 framing to take a byte stream apart.
enum HTTPText {
    /// The length of the first message with its body; nil while its head is incomplete.
    static func requestLength(in bytes: [UInt8]) -> Int? {
        guard let head = headLength(in: bytes) else { return nil }
        return head + contentLength(inHead: bytes.prefix(head))
    }

    /// Up to and with the empty line.
    static func headLength(in bytes: [UInt8]) -> Int? {
        let mark = Array("\r\n\r\n".utf8)
        return bytes.indices.dropLast(mark.count - 1).first { bytes[$0...].starts(with: mark) }.map { $0 + mark.count }
    }

    private static func contentLength(inHead head: ArraySlice<UInt8>) -> Int {
        for line in String(decoding: head, as: UTF8.self).lowercased().split(separator: "\r\n") {
            let parts = line.split(separator: ":", maxSplits: 1)
            guard parts.count == 2, parts[0] == "content-length" else { continue }
            return Int(parts[1].drop { $0 == " " }) ?? 0
        }
        return 0
    }
}
