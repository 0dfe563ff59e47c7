/// The parts a log header is made of. Times are recognised and skipped: vLLM prints no year, no zone and no fraction,
/// so lines are stamped when they arrive.
enum LogTime {
    /// Moves `at` over `MM-DD HH:MM:SS` or `YYYY-MM-DD HH:MM:SS`, with `T` for the space, a fraction and a zone allowed.
    static func skipDateTime(_ bytes: Span<UInt8>, _ at: inout Int) -> Bool {
        var index = at
        if matches(bytes, index, "dddd-dd-dd") {
            index += 10
        } else if matches(bytes, index, "dd-dd") {
            index += 5
        } else {
            return false
        }
        guard let gap = bytes.byte(index), gap == .space || gap == UInt8(ascii: "T") else { return false }
        index += 1
        guard matches(bytes, index, "dd:dd:dd") else { return false }
        index += 8
        if let mark = bytes.byte(index), mark == UInt8(ascii: ".") || mark == UInt8(ascii: ",") {
            index += 1
            while bytes.byte(index)?.isDigit == true { index += 1 }
        }
        if bytes.byte(index) == UInt8(ascii: "Z") {
            index += 1
        } else if matches(bytes, index, "+dd:dd") || matches(bytes, index, "-dd:dd") {
            index += 6
        }
        at = index
        return true
    }

    /// Moves `at` over a level's name.
    static func level(_ bytes: Span<UInt8>, _ at: inout Int) -> LogLevel? {
        if bytes.consume("INFO", at: &at) { return .info }
        if bytes.consume("WARNING", at: &at) { return .warning }
        if bytes.consume("ERROR", at: &at) { return .error }
        if bytes.consume("DEBUG", at: &at) { return .debug }
        if bytes.consume("CRITICAL", at: &at) { return .error }
        return nil
    }

    /// Behind `[file.py:123] ` or `file.py:123] `; `start` itself where neither stands.
    static func skipFileAndLine(_ bytes: Span<UInt8>, _ start: Int) -> Int {
        var index = start
        let end = Swift.min(bytes.count, start + 200)
        while index < end, bytes[index] != .space, bytes[index] != UInt8(ascii: "]") { index += 1 }
        guard bytes.byte(index) == UInt8(ascii: "]"), bytes.byte(index - 1)?.isDigit == true else { return start }
        index += 1
        return bytes.byte(index) == .space ? index + 1 : index
    }

    /// `d` in the pattern stands for a digit, everything else for itself.
    private static func matches(_ bytes: Span<UInt8>, _ start: Int, _ pattern: StaticString) -> Bool {
        let expected = UnsafeBufferPointer(start: pattern.utf8Start, count: pattern.utf8CodeUnitCount)
        guard bytes.count - start >= expected.count else { return false }
        for (offset, symbol) in expected.enumerated() {
            let byte = bytes[start + offset]
            guard symbol == UInt8(ascii: "d") ? byte.isDigit : byte == symbol else { return false }
        }
        return true
    }
}
