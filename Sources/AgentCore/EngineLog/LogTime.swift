/// The parts a log header is made of. Times are recognised and skipped: vLLM prints no year, no zone and no fraction,
/// so lines are stamped when they arrive.
enum LogTime {
    /// Moves `at` over `MM-DD HH:MM:SS` or `YYYY-MM-DD HH:MM:SS`, with `T` for the space, a fraction and a zone allowed.
    static func skipDateTime(_ bytes: Span<UInt8>, _ at: inout Int) -> Bool {
        var index = at
        if isPair(bytes, index, "-"), isPair(bytes, index + 3, nil) {
            index += 5
        } else if isPair(bytes, index, nil), isPair(bytes, index + 2, "-"), isPair(bytes, index + 5, "-"),
            isPair(bytes, index + 8, nil)
        {
            index += 10
        } else {
            return false
        }
        guard let gap = bytes.byte(index), gap == .space || gap == UInt8(ascii: "T") else { return false }
        index += 1
        guard skipTimeOfDay(bytes, &index) else { return false }
        if let zone = bytes.byte(index) {
            if zone == UInt8(ascii: "Z") {
                index += 1
            } else if zone == UInt8(ascii: "+") || zone == UInt8(ascii: "-"), isPair(bytes, index + 1, nil) {
                // `+00:00` or `+0000`
                let minutes = bytes.byte(index + 3) == UInt8(ascii: ":") ? index + 4 : index + 3
                if isPair(bytes, minutes, nil) { index = minutes + 2 }
            }
        }
        at = index
        return true
    }

    /// Moves `at` over `HH:MM:SS` and a fraction.
    static func skipTimeOfDay(_ bytes: Span<UInt8>, _ at: inout Int) -> Bool {
        var index = at
        guard isPair(bytes, index, ":"), isPair(bytes, index + 3, ":"), isPair(bytes, index + 6, nil) else {
            return false
        }
        index += 8
        if let mark = bytes.byte(index), mark == UInt8(ascii: ".") || mark == UInt8(ascii: ",") {
            index += 1
            while bytes.byte(index)?.isDigit == true { index += 1 }
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

    /// Two digits, and behind them `mark` if there is one to be.
    private static func isPair(_ bytes: Span<UInt8>, _ start: Int, _ mark: Unicode.Scalar?) -> Bool {
        guard start + 2 <= bytes.count, bytes[start].isDigit, bytes[start + 1].isDigit else { return false }
        guard let mark else { return true }
        return bytes.byte(start + 2) == UInt8(ascii: mark)
    }
}
