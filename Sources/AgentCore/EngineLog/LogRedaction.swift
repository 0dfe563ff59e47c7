/// Arguments as the engine prints them hold the API key in clear up to 0.27, and tokens for model hubs.
enum LogRedaction {
    /// The text from `start`, at most 4 KiB, with the values of secret-bearing names replaced.
    static func arguments(_ bytes: Span<UInt8>, from start: Int) -> String {
        var text = ""
        var copied = start
        var index = start
        while index < bytes.count, let mark = nextSecret(bytes, from: index) {
            let value = valueEnd(bytes, from: mark)
            text += bytes.text(copied..<mark, limit: mark - copied) + "<redacted>"
            copied = value
            index = value
        }
        text += bytes.text(copied..<bytes.count, limit: bytes.count - copied)
        guard text.utf8.count > limit else { return text }
        return String(decoding: text.utf8.prefix(limit), as: UTF8.self)
    }

    private static let limit = 4096

    /// Where the value of the next argument begins whose name tells that it is secret. None and empty are no secrets.
    private static func nextSecret(_ bytes: Span<UInt8>, from start: Int) -> Int? {
        var index = start
        while index < bytes.count {
            guard let found = nextName(bytes, from: index) else { return nil }
            index = found
            // `'api_key': …` or `api_key=…`
            if bytes.byte(index) == UInt8(ascii: "'") { index += 1 }
            guard let mark = bytes.byte(index), mark == UInt8(ascii: ":") || mark == UInt8(ascii: "=") else { continue }
            index = bytes.skip(.space, from: index + 1)
            if !bytes.starts(with: "None", at: index) { return index }
        }
        return nil
    }

    /// Behind the next name such as `api_key`, `hf_token`, `secret` or `password`.
    private static func nextName(_ bytes: Span<UInt8>, from start: Int) -> Int? {
        var index = start
        while index < bytes.count {
            switch bytes[index] | 0x20 {
            case UInt8(ascii: "k"): if bytes.consume("key", at: &index) { return index }
            case UInt8(ascii: "t"): if bytes.consume("token", at: &index) { return index }
            case UInt8(ascii: "s"): if bytes.consume("secret", at: &index) { return index }
            case UInt8(ascii: "p"): if bytes.consume("password", at: &index) { return index }
            default: break
            }
            index += 1
        }
        return nil
    }

    /// Behind a quoted string, a bracketed list or a bare word.
    private static func valueEnd(_ bytes: Span<UInt8>, from start: Int) -> Int {
        guard let first = bytes.byte(start) else { return bytes.count }
        let close: UInt8
        switch first {
        case UInt8(ascii: "'"), UInt8(ascii: "\""): close = first
        case UInt8(ascii: "["): close = UInt8(ascii: "]")
        case UInt8(ascii: "("): close = UInt8(ascii: ")")
        default:
            var end = start
            while end < bytes.count, bytes[end] != UInt8(ascii: ","), bytes[end] != UInt8(ascii: ")"),
                bytes[end] != UInt8(ascii: "}")
            {
                end += 1
            }
            return end
        }
        return bytes.firstIndex(of: close, from: start + 1).map { $0 + 1 } ?? bytes.count
    }
}
