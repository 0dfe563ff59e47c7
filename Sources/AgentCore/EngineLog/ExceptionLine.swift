/// The last line of a traceback: a class name, with or without a message.
struct ExceptionLine {
    var name: Range<Int>
    var message: Range<Int>
    /// Called `…Error`, `…Exception` or the like: most exceptions are, hardly anything else is.
    var endsLikeAnException: Bool

    init?(_ bytes: Span<UInt8>, _ start: Int) {
        guard let first = bytes.byte(start), first.isLetter || first == UInt8(ascii: "_") else { return nil }
        var end = start
        var hasDotOrCapital = false
        while end < bytes.count, end - start <= 120 {
            let byte = bytes[end]
            if byte.isUppercaseLetter || byte == UInt8(ascii: ".") {
                hasDotOrCapital = true
            } else if !(byte.isLetter || byte.isDigit || byte == UInt8(ascii: "_")) {
                break
            }
            end += 1
        }
        guard hasDotOrCapital, end - start <= 120 else { return nil }
        name = start..<end
        if end == bytes.count {
            message = end..<end
        } else {
            guard bytes[end] == UInt8(ascii: ":"), end + 1 == bytes.count || bytes[end + 1] == .space else {
                return nil
            }
            message = min(end + 2, bytes.count)..<bytes.count
        }
        endsLikeAnException = Self.isException(bytes, end)
    }

    private static func isException(_ bytes: Span<UInt8>, _ end: Int) -> Bool {
        bytes.starts(with: "Error", at: end - 5) || bytes.starts(with: "Exception", at: end - 9)
    }
}
