/// Reads the XML that S3 answers with, piece by piece: elements and text. Attributes are skipped; document types, which
/// could define entities, are refused.
struct XMLScanner {
    enum Piece: Equatable {
        case start(String)
        case end(String)
        case text(String)
    }

    struct Malformed: Error, Equatable {
        var reason: String
    }

    private static let maximumDepth = 16

    private let bytes: [UInt8]
    private var index = 0
    private var open: [String] = []
    /// An empty element `<a/>` is a start whose end is still to be told.
    private var owedEnd: String?

    init(_ bytes: [UInt8]) {
        self.bytes = bytes
        if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { index = 3 }
    }

    /// nil at the end of a document that is whole.
    mutating func next() throws(Malformed) -> Piece? {
        if let name = owedEnd {
            owedEnd = nil
            open.removeLast()
            return .end(name)
        }
        while index < bytes.count {
            guard bytes[index] == UInt8(ascii: "<") else {
                let text = try text()
                if !open.isEmpty { return .text(text) }
                guard text.allSatisfy(\.isWhitespace) else { throw Malformed(reason: "text outside of the document") }
                continue
            }
            if skip("<?") { try skipPast("?>") } else if skip("<!--") { try skipPast("-->") } else { return try tag() }
        }
        guard open.isEmpty else { throw Malformed(reason: "it ends within <\(open[open.count - 1])>") }
        return nil
    }

    private mutating func tag() throws(Malformed) -> Piece {
        index += 1
        if skip("/") {
            let name = try name()
            try skipPast(">")
            guard open.popLast() == name else { throw Malformed(reason: "</\(name)> closes another element") }
            return .end(name)
        }
        let name = try name()
        try skipAttributes()
        guard open.count < Self.maximumDepth else { throw Malformed(reason: "it is nested too deeply") }
        open.append(name)
        if bytes[index - 2] == UInt8(ascii: "/") { owedEnd = name }
        return .start(name)
    }

    private mutating func name() throws(Malformed) -> String {
        let begin = index
        while index < bytes.count, Self.isNameByte(bytes[index]) { index += 1 }
        guard index > begin else { throw Malformed(reason: "an element without a name at byte \(begin)") }
        return String(decoding: bytes[begin..<index], as: UTF8.self)
    }

    /// To behind the `>`; one within quotes does not count.
    private mutating func skipAttributes() throws(Malformed) {
        var quote: UInt8?
        while index < bytes.count {
            let byte = bytes[index]
            index += 1
            if let open = quote {
                if byte == open { quote = nil }
            } else if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") {
                quote = byte
            } else if byte == UInt8(ascii: ">") {
                return
            }
        }
        throw Malformed(reason: "it ends within a tag")
    }

    private mutating func text() throws(Malformed) -> String {
        var text: [UInt8] = []
        while index < bytes.count, bytes[index] != UInt8(ascii: "<") {
            if bytes[index] == UInt8(ascii: "&") {
                text += try entity()
            } else {
                text.append(bytes[index])
                index += 1
            }
        }
        return String(decoding: text, as: UTF8.self)
    }

    private mutating func entity() throws(Malformed) -> [UInt8] {
        let limit = min(index + 12, bytes.count)
        guard let end = bytes[index..<limit].firstIndex(of: UInt8(ascii: ";")) else {
            throw Malformed(reason: "a bare & at byte \(index)")
        }
        let name = String(decoding: bytes[(index + 1)..<end], as: UTF8.self)
        index = end + 1
        switch name {
        case "amp": return [UInt8(ascii: "&")]
        case "lt": return [UInt8(ascii: "<")]
        case "gt": return [UInt8(ascii: ">")]
        case "quot": return [UInt8(ascii: "\"")]
        case "apos": return [UInt8(ascii: "'")]
        default:
            let isHexadecimal = name.hasPrefix("#x")
            guard name.hasPrefix("#"),
                let number = UInt32(name.dropFirst(isHexadecimal ? 2 : 1), radix: isHexadecimal ? 16 : 10),
                let scalar = Unicode.Scalar(number)
            else { throw Malformed(reason: "an unknown entity &\(name);") }
            return Array(String(Character(scalar)).utf8)
        }
    }

    private mutating func skip(_ mark: StaticString) -> Bool {
        let isThere = mark.withUTF8Buffer { bytes[index...].starts(with: $0) }
        if isThere { index += mark.utf8CodeUnitCount }
        return isThere
    }

    private mutating func skipPast(_ mark: StaticString) throws(Malformed) {
        while index < bytes.count {
            if skip(mark) { return }
            index += 1
        }
        throw Malformed(reason: "it ends before \(mark)")
    }

    private static func isNameByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: ":"), UInt8(ascii: "_"), UInt8(ascii: "-"),
            UInt8(ascii: "."):
            true
        default: byte >= 0x80
        }
    }
}
