/// Reads JSON in one pass and keeps only what is asked for: headers and indexes of large models hold a hundred thousand
/// entries, which as a tree of values would cost seconds and hundreds of megabytes.
struct JSONScanner {
    private static let maximumDepth = 32

    private let bytes: [UInt8]
    private var index: Int
    private let end: Int
    private var depth = 0

    init(_ bytes: [UInt8], from start: Int = 0, to end: Int? = nil) {
        self.bytes = bytes
        index = start
        self.end = end ?? bytes.count
    }

    /// Visits each member of an object; the visitor reads or skips the value, which the scanner stands at.
    mutating func members(
        _ visit: (String, inout JSONScanner) throws(JSONSyntaxError) -> Void
    ) throws(JSONSyntaxError) {
        try enter("{")
        guard !take("}") else { return leave() }
        repeat {
            let name = try string()
            try expect(":")
            try visit(name, &self)
        } while take(",")
        try expect("}")
        leave()
    }

    mutating func elements(_ visit: (inout JSONScanner) throws(JSONSyntaxError) -> Void) throws(JSONSyntaxError) {
        try enter("[")
        guard !take("]") else { return leave() }
        repeat { try visit(&self) } while take(",")
        try expect("]")
        leave()
    }

    mutating func string() throws(JSONSyntaxError) -> String {
        try expect("\"")
        let begin = index
        while index < end, bytes[index] != UInt8(ascii: "\"") {
            guard bytes[index] != UInt8(ascii: "\\") else { return try escapedString(from: begin) }
            index += 1
        }
        guard index < end else { throw broken("a string without an end") }
        index += 1
        return String(decoding: bytes[begin..<(index - 1)], as: UTF8.self)
    }

    /// nil for a number that is no whole one in 64 bits; other kinds of values are skipped.
    mutating func unsigned() throws(JSONSyntaxError) -> UInt64? {
        skipBlanks()
        let begin = index
        try skipValue()
        return UInt64(String(decoding: bytes[begin..<index], as: UTF8.self))
    }

    mutating func skipValue() throws(JSONSyntaxError) {
        skipBlanks()
        guard index < end else { throw broken("a value is missing") }
        switch bytes[index] {
        case UInt8(ascii: "{"): try members { (_, scanner) throws(JSONSyntaxError) in try scanner.skipValue() }
        case UInt8(ascii: "["): try elements { scanner throws(JSONSyntaxError) in try scanner.skipValue() }
        case UInt8(ascii: "\""): _ = try string()
        default:
            let begin = index
            while index < end, Self.isScalarByte(bytes[index]) { index += 1 }
            guard index > begin else { throw broken("a value is missing") }
        }
    }

    /// The first byte of the value it stands at; nil at the end.
    mutating func peek() -> UInt8? {
        skipBlanks()
        return index < end ? bytes[index] : nil
    }

    /// Nothing but blanks may follow the document.
    mutating func finish() throws(JSONSyntaxError) {
        skipBlanks()
        guard index == end else { throw broken("more than one value") }
    }

    private mutating func escapedString(from begin: Int) throws(JSONSyntaxError) -> String {
        while index < end, bytes[index] != UInt8(ascii: "\"") {
            index += bytes[index] == UInt8(ascii: "\\") ? 2 : 1
        }
        guard index < end else { throw broken("a string without an end") }
        index += 1
        let literal = Array(bytes[(begin - 1)..<index])
        guard let text = try JSONValue.parse(literal).stringValue else { throw broken("a string is not valid") }
        return text
    }

    private mutating func enter(_ mark: Unicode.Scalar) throws(JSONSyntaxError) {
        try expect(mark)
        depth += 1
        guard depth <= Self.maximumDepth else { throw broken("it is nested too deeply") }
    }

    private mutating func leave() { depth -= 1 }

    private mutating func expect(_ mark: Unicode.Scalar) throws(JSONSyntaxError) {
        guard take(mark) else { throw broken("\(mark) is missing") }
    }

    private mutating func take(_ mark: Unicode.Scalar) -> Bool {
        skipBlanks()
        guard index < end, bytes[index] == UInt8(ascii: mark) else { return false }
        index += 1
        return true
    }

    private mutating func skipBlanks() {
        while index < end, [0x20, 0x0A, 0x0D, 0x09].contains(bytes[index]) { index += 1 }
    }

    private static func isScalarByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "E"),
            UInt8(ascii: "+"), UInt8(ascii: "-"), UInt8(ascii: "."):
            true
        default: false
        }
    }

    private func broken(_ reason: String) -> JSONSyntaxError {
        JSONSyntaxError(reason: "not valid JSON at byte \(index): \(reason)")
    }
}
