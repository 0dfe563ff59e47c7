/// Reading text out of bytes without making a `String`: the log is scanned at the speed of memory, and only a line that
/// means something costs an allocation.
extension Span<UInt8> {
    /// Whether `text` stands at `offset`. In line, so that the words are constants where they are compared.
    @inline(__always)
    func starts(with text: StaticString, at offset: Int = 0) -> Bool {
        let length = text.utf8CodeUnitCount
        guard offset >= 0, count - offset >= length else { return false }
        return withUnsafeBytes { bytes in
            let expected = UnsafeRawBufferPointer(start: text.utf8Start, count: length)
            var index = 0
            // Eight bytes at a time: every line is held against several beginnings.
            while index + 8 <= length {
                let found = bytes.loadUnaligned(fromByteOffset: offset + index, as: UInt64.self)
                guard found == expected.loadUnaligned(fromByteOffset: index, as: UInt64.self) else { return false }
                index += 8
            }
            while index < length {
                guard bytes[offset + index] == expected[index] else { return false }
                index += 1
            }
            return true
        }
    }

    func ends(with text: StaticString) -> Bool { starts(with: text, at: count - text.utf8CodeUnitCount) }

    /// Where `byte` first stands at or after `start`, before `end`.
    func firstIndex(of byte: UInt8, from start: Int = 0, before end: Int? = nil) -> Int? {
        ByteScanner.firstIndex(of: byte, in: self, from: start, before: Swift.min(end ?? count, count))
    }

    /// Where `text` first stands at or after `start`.
    func firstIndex(of text: StaticString, from start: Int = 0) -> Int? {
        guard text.utf8CodeUnitCount > 0 else { return nil }
        let lead = text.utf8Start.pointee
        let end = count - text.utf8CodeUnitCount + 1
        var index = start
        while let found = ByteScanner.firstIndex(of: lead, in: self, from: index, before: end) {
            if starts(with: text, at: found) { return found }
            index = found + 1
        }
        return nil
    }

    func contains(_ text: StaticString) -> Bool { firstIndex(of: text) != nil }

    /// The byte at `offset`, or nil beyond the end.
    @inline(__always)
    func byte(_ offset: Int) -> UInt8? { offset >= 0 && offset < count ? self[offset] : nil }

    @inline(__always)
    func skip(_ byte: UInt8, from start: Int) -> Int {
        var index = start
        while index < count, self[index] == byte { index += 1 }
        return index
    }

    /// Moves `offset` over `text` if it stands there.
    @inline(__always)
    func consume(_ text: StaticString, at offset: inout Int) -> Bool {
        guard starts(with: text, at: offset) else { return false }
        offset += text.utf8CodeUnitCount
        return true
    }

    /// A whole number, with or without thousands separators; nil where there is none or it does not fit.
    func integer(at offset: inout Int) -> Int? {
        var value = 0
        var index = offset
        while let byte = byte(index) {
            if byte.isDigit {
                let (product, tooBig) = value.multipliedReportingOverflow(by: 10)
                let (sum, carried) = product.addingReportingOverflow(Int(byte - UInt8(ascii: "0")))
                guard !tooBig, !carried else { return nil }
                value = sum
            } else if byte != UInt8(ascii: ",") || index == offset || self.byte(index + 1)?.isDigit != true {
                break
            }
            index += 1
        }
        guard index > offset else { return nil }
        offset = index
        return value
    }

    /// A decimal number such as `-1.25`, `131,072` or `0.098796`; nil where there is none.
    func decimal(at offset: inout Int) -> Double? {
        var index = offset
        let negative = byte(index) == UInt8(ascii: "-")
        if negative { index += 1 }
        guard let whole = integer(at: &index) else { return nil }
        var digits = Double(whole)
        var scale = 1.0
        if byte(index) == UInt8(ascii: "."), byte(index + 1)?.isDigit == true {
            index += 1
            // One division of exact numbers is rounded once: 2.72 is 2.72. More digits than fit say nothing.
            while let digit = byte(index), digit.isDigit {
                if digits < 1e14 {
                    digits = digits * 10 + Double(digit - UInt8(ascii: "0"))
                    scale *= 10
                }
                index += 1
            }
        }
        offset = index
        return (negative ? -digits : digits) / scale
    }

    /// `range` as text, at most `limit` bytes of it. Invalid UTF-8 becomes U+FFFD, control characters become spaces:
    /// what is made here ends up in events, terminals and journals.
    func text(_ range: Range<Int>, limit: Int) -> String {
        let lower = Swift.max(0, Swift.min(range.lowerBound, count))
        var upper = Swift.max(lower, Swift.min(range.upperBound, count, lower + limit))
        if upper < Swift.min(range.upperBound, count) {
            // Not in the middle of a character.
            while upper > lower, self[upper] & 0xC0 == 0x80 { upper -= 1 }
        }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(upper - lower)
        for index in lower..<upper {
            let byte = self[index]
            bytes.append(byte < 0x20 || byte == 0x7F ? UInt8(ascii: " ") : byte)
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

extension UInt8 {
    var isDigit: Bool { self &- UInt8(ascii: "0") < 10 }
    var isUppercaseLetter: Bool { self &- UInt8(ascii: "A") < 26 }
    var isLetter: Bool { (self | 0x20) &- UInt8(ascii: "a") < 26 }
}
