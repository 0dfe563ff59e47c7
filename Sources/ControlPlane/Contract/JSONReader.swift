package import AgentWire

/// Reads one JSON document (RFC 8259) as strictly as the grammar is written, in one pass.
///
/// A fleet's events and heartbeats pass through here ten thousand times a second, which a decoder that tries one type
/// after the other for each value does not do. Depth is bounded, and a name that an object has twice is refused:
/// readers that see different ones of the two would see different documents.
package struct JSONReader {
    /// No document of this contract needs a quarter of it.
    package static let maximumDepth = 32

    private let bytes: [UInt8]
    private var index = 0
    private var depth = 0

    private init(_ bytes: [UInt8]) {
        self.bytes = bytes
    }

    /// The caller has bounded the bytes.
    package static func parse(_ bytes: [UInt8]) throws(JSONSyntaxError) -> JSONValue {
        var reader = JSONReader(bytes)
        let value = try reader.value()
        try reader.end()
        return value
    }

    /// The elements of an array, each with its text as it was sent; nil where the document is no array.
    static func elements(_ bytes: [UInt8]) throws(JSONSyntaxError) -> [(value: JSONValue, text: String)]? {
        var reader = JSONReader(bytes)
        reader.skipBlanks()
        guard reader.peek() == UInt8(ascii: "[") else {
            _ = try parse(bytes)
            return nil
        }
        var elements: [(value: JSONValue, text: String)] = []
        try reader.list(UInt8(ascii: "]")) { reader throws(JSONSyntaxError) in
            reader.skipBlanks()
            let start = reader.index
            let value = try reader.value()
            elements.append((value, String(decoding: bytes[start..<reader.index], as: UTF8.self)))
        }
        try reader.end()
        return elements
    }

    // MARK: Values

    private mutating func value() throws(JSONSyntaxError) -> JSONValue {
        skipBlanks()
        switch peek() {
        case UInt8(ascii: "{"): return try object()
        case UInt8(ascii: "["): return try array()
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try word("true", .bool(true))
        case UInt8(ascii: "f"): return try word("false", .bool(false))
        case UInt8(ascii: "n"): return try word("null", .null)
        default: return try number()
        }
    }

    private mutating func object() throws(JSONSyntaxError) -> JSONValue {
        var fields: [String: JSONValue] = [:]
        try list(UInt8(ascii: "}")) { reader throws(JSONSyntaxError) in
            reader.skipBlanks()
            let name = try reader.string()
            reader.skipBlanks()
            try reader.expect(UInt8(ascii: ":"))
            guard fields.updateValue(try reader.value(), forKey: name) == nil else {
                throw JSONSyntaxError(reason: "the body has an object with the same name twice")
            }
        }
        return .object(fields)
    }

    private mutating func array() throws(JSONSyntaxError) -> JSONValue {
        var items: [JSONValue] = []
        try list(UInt8(ascii: "]")) { reader throws(JSONSyntaxError) in
            items.append(try reader.value())
        }
        return .array(items)
    }

    /// From the opening bracket to the closing one, `read` standing at each member.
    private mutating func list(
        _ close: UInt8, _ read: (inout JSONReader) throws(JSONSyntaxError) -> Void
    ) throws(JSONSyntaxError) {
        index += 1
        depth += 1
        guard depth <= Self.maximumDepth else {
            throw JSONSyntaxError(reason: "the body nests deeper than \(Self.maximumDepth) levels")
        }
        skipBlanks()
        if peek() != close {
            try read(&self)
            skipBlanks()
            while peek() == UInt8(ascii: ",") {
                index += 1
                try read(&self)
                skipBlanks()
            }
        }
        try expect(close)
        depth -= 1
    }

    private mutating func word(_ text: StaticString, _ value: JSONValue) throws(JSONSyntaxError) -> JSONValue {
        let count = text.utf8CodeUnitCount
        let isThere = text.withUTF8Buffer { bytes[index...].prefix(count).elementsEqual($0) }
        guard isThere else { throw broken() }
        index += count
        return value
    }

    // MARK: Bytes

    private func peek() -> UInt8? {
        index < bytes.count ? bytes[index] : nil
    }

    private mutating func skipBlanks() {
        while index < bytes.count {
            switch bytes[index] {
            case 0x20, 0x0A, 0x0D, 0x09: index += 1
            default: return
            }
        }
    }

    private mutating func expect(_ byte: UInt8) throws(JSONSyntaxError) {
        guard peek() == byte else { throw broken() }
        index += 1
    }

    private mutating func end() throws(JSONSyntaxError) {
        skipBlanks()
        guard index == bytes.count else { throw broken() }
    }

    private func broken() -> JSONSyntaxError {
        guard let first = bytes.first(where: { ![0x20, 0x0A, 0x0D, 0x09].contains($0) }) else {
            return JSONSyntaxError(reason: "the body is empty")
        }
        if first == UInt8(ascii: "<") { return JSONSyntaxError(reason: "the body is HTML or XML, not JSON") }
        return JSONSyntaxError(reason: "the body is not valid JSON, at byte \(index) of \(bytes.count)")
    }
}

extension JSONReader {
    private mutating func number() throws(JSONSyntaxError) -> JSONValue {
        let start = index
        if peek() == UInt8(ascii: "-") { index += 1 }
        // No leading zeros (RFC 8259 §6).
        if peek() == UInt8(ascii: "0") { index += 1 } else { try digits() }
        if peek() == UInt8(ascii: ".") {
            index += 1
            try digits()
        }
        if peek() == UInt8(ascii: "e") || peek() == UInt8(ascii: "E") {
            index += 1
            if peek() == UInt8(ascii: "+") || peek() == UInt8(ascii: "-") { index += 1 }
            try digits()
        }
        let text = String(decoding: bytes[start..<index], as: UTF8.self)
        if let integer = Int64(text) { return .integer(integer) }
        guard let double = Double(text), double.isFinite else { throw broken() }
        // 2.0 and 1e3 are whole numbers too.
        return Int64(exactly: double).map(JSONValue.integer) ?? .number(double)
    }

    private mutating func digits() throws(JSONSyntaxError) {
        let start = index
        while let byte = peek(), (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { index += 1 }
        guard index > start else { throw broken() }
    }

    private mutating func string() throws(JSONSyntaxError) -> String {
        try expect(UInt8(ascii: "\""))
        let start = index
        while let byte = peek(), byte != UInt8(ascii: "\""), byte != UInt8(ascii: "\\"), byte >= 0x20 { index += 1 }
        var text = try checked(bytes[start..<index])
        while let byte = peek() {
            index += 1
            switch byte {
            case UInt8(ascii: "\""): return text
            case UInt8(ascii: "\\"): text.unicodeScalars.append(try escaped())
            case 0..<0x20: throw broken()
            default:
                let start = index - 1
                while let next = peek(), next != UInt8(ascii: "\""), next != UInt8(ascii: "\\"), next >= 0x20 {
                    index += 1
                }
                text += try checked(bytes[start..<index])
            }
        }
        throw broken()
    }

    private func checked(_ slice: ArraySlice<UInt8>) throws(JSONSyntaxError) -> String {
        guard let text = String(validating: slice, as: UTF8.self) else {
            throw JSONSyntaxError(reason: "the body is not UTF-8")
        }
        return text
    }

    /// Behind the backslash.
    private mutating func escaped() throws(JSONSyntaxError) -> Unicode.Scalar {
        guard let byte = peek() else { throw broken() }
        index += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{C}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"): return try unicodeEscape()
        default: throw broken()
        }
    }

    /// A half of a surrogate pair without the other is no text.
    private mutating func unicodeEscape() throws(JSONSyntaxError) -> Unicode.Scalar {
        let first = try fourHexDigits()
        if let scalar = Unicode.Scalar(first) { return scalar }
        guard first < 0xDC00 else { throw broken() }
        try expect(UInt8(ascii: "\\"))
        try expect(UInt8(ascii: "u"))
        let second = try fourHexDigits()
        guard (0xDC00...0xDFFF).contains(second),
            let scalar = Unicode.Scalar(0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00))
        else { throw broken() }
        return scalar
    }

    private mutating func fourHexDigits() throws(JSONSyntaxError) -> UInt32 {
        let slice = bytes[index...].prefix(4)
        guard slice.count == 4, slice.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }),
            let number = UInt32(String(decoding: slice, as: UTF8.self), radix: 16)
        else { throw broken() }
        index += 4
        return number
    }
}
