/// A line of vLLM's JSON formatter (`--logging-config.formatter json`, ≥ 0.32) or of python-json-logger: one object
/// with the message, the level and the process among its members. Nested values are skipped.
struct JSONLogRecord {
    var role: EngineRole?
    var process = 0
    var level: LogLevel?
    /// The message, unescaped; several lines are separated by `\n`.
    var message: [UInt8] = []
    /// The traceback that came with it, unescaped.
    var traceback: [UInt8] = []

    /// nil where the line is not an object with a string called `message`.
    init?(_ bytes: Span<UInt8>, at start: Int) {
        guard bytes.byte(start) == UInt8(ascii: "{") else { return nil }
        var at = start + 1
        var hasMessage = false
        while let name = Self.memberName(bytes, &at) {
            guard bytes.byte(at) == UInt8(ascii: "\"") else {
                let lower = at
                Self.skipValue(bytes, &at)
                if bytes.starts(with: "process\"", at: name) {
                    var digits = lower
                    process = bytes.integer(at: &digits) ?? 0
                }
                continue
            }
            let value = Self.string(bytes, &at)
            if bytes.starts(with: "message\"", at: name) || bytes.starts(with: "msg\"", at: name) {
                message = value
                hasMessage = true
            } else {
                read(bytes, name, value)
            }
        }
        guard hasMessage else { return nil }
    }

    private mutating func read(_ bytes: Span<UInt8>, _ name: Int, _ value: [UInt8]) {
        if bytes.starts(with: "levelname\"", at: name) || bytes.starts(with: "level\"", at: name) {
            var at = 0
            level = LogTime.level(value.span, &at)
        } else if bytes.starts(with: "vllm_process_name\"", at: name) || bytes.starts(with: "processName\"", at: name) {
            role = LogLine.role(named: value.span, at: 0) ?? role
        } else if bytes.starts(with: "exc_info\"", at: name) || bytes.starts(with: "exc_text\"", at: name) {
            traceback = value
        }
    }

    /// Moves `at` to the value of the next member; where its name begins, without the quote.
    private static func memberName(_ bytes: Span<UInt8>, _ at: inout Int) -> Int? {
        while let byte = bytes.byte(at), byte == .space || byte == UInt8(ascii: ",") { at += 1 }
        guard bytes.byte(at) == UInt8(ascii: "\"") else { return nil }
        let name = at + 1
        guard let close = bytes.firstIndex(of: UInt8(ascii: "\""), from: name) else { return nil }
        at = bytes.skip(.space, from: close + 1)
        guard bytes.byte(at) == UInt8(ascii: ":") else { return nil }
        at = bytes.skip(.space, from: at + 1)
        return name
    }

    /// The string whose opening quote is at `at`; a cut-off one as far as it goes.
    private static func string(_ bytes: Span<UInt8>, _ at: inout Int) -> [UInt8] {
        var text: [UInt8] = []
        at += 1
        while let byte = bytes.byte(at), byte != UInt8(ascii: "\"") {
            at += 1
            guard byte == UInt8(ascii: "\\"), let escaped = bytes.byte(at) else {
                text.append(byte)
                continue
            }
            at += 1
            switch escaped {
            case UInt8(ascii: "n"): text.append(.newline)
            case UInt8(ascii: "r"): text.append(.newline)
            case UInt8(ascii: "t"): text.append(.tab)
            case UInt8(ascii: "u"): appendScalar(bytes, &at, to: &text)
            default: text.append(escaped)
            }
        }
        at += 1
        return text
    }

    /// `\u2588` as UTF-8. Half of a surrogate pair says nothing here and becomes U+FFFD.
    private static func appendScalar(_ bytes: Span<UInt8>, _ at: inout Int, to text: inout [UInt8]) {
        var value: UInt32 = 0
        for offset in 0..<4 {
            guard let digit = bytes.byte(at + offset).flatMap(hexadecimal) else { return }
            value = value << 4 | digit
        }
        at += 4
        let scalar = Unicode.Scalar(value) ?? "\u{FFFD}"
        text.append(contentsOf: Array(String(Character(scalar)).utf8))
    }

    private static func hexadecimal(_ byte: UInt8) -> UInt32? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(byte - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt32(byte - UInt8(ascii: "a") + 10)
        case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt32(byte - UInt8(ascii: "A") + 10)
        default: nil
        }
    }

    /// Behind a number, a literal, an array or an object.
    private static func skipValue(_ bytes: Span<UInt8>, _ at: inout Int) {
        var depth = 0
        while let byte = bytes.byte(at) {
            switch byte {
            case UInt8(ascii: "\""):
                _ = string(bytes, &at)
                continue
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                depth += 1
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                if depth == 0 { return }
                depth -= 1
            case UInt8(ascii: ","):
                if depth == 0 { return }
            default:
                break
            }
            at += 1
        }
    }
}
