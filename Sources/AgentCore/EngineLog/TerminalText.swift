/// Terminal control sequences (ECMA-48): vLLM 0.8 to 0.15 colour process names even in a file, the streamer's C++ part
/// always does.
enum TerminalText {
    /// Where the text of a line begins: behind NULs and sequences that stand before it.
    static func skipLead(_ bytes: Span<UInt8>, from start: Int) -> Int {
        var index = start
        while index < bytes.count {
            if bytes[index] == 0 {
                index += 1
            } else if bytes[index] == .escape, let end = completeSequence(bytes, at: index) {
                index = end
            } else {
                break
            }
        }
        return index
    }

    /// `bytes` without control sequences; one that is cut off at the end is dropped.
    static func stripped(_ bytes: Span<UInt8>) -> [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(bytes.count)
        var index = 0
        while index < bytes.count {
            if bytes[index] == .escape {
                index = completeSequence(bytes, at: index) ?? bytes.count
            } else if bytes[index] == 0, text.isEmpty {
                index += 1
            } else {
                text.append(bytes[index])
                index += 1
            }
        }
        return text
    }

    /// The index behind the sequence that begins at `start`; nil when its end is not there (yet).
    private static func completeSequence(_ bytes: Span<UInt8>, at start: Int) -> Int? {
        guard let kind = bytes.byte(start + 1) else { return nil }
        switch kind {
        case UInt8(ascii: "["): return end(of: 0x40...0x7E, in: bytes, from: start + 2)
        case UInt8(ascii: "]"): return endOfString(bytes, from: start + 2)
        case 0x20...0x2F: return end(of: 0x30...0x7E, in: bytes, from: start + 2)
        case .newline, .carriageReturn: return start + 1
        default: return start + 2
        }
    }

    /// Behind the final byte of a sequence. Another control character means that it was none: then only its
    /// introducer goes. A line end cuts it off.
    private static func end(of finals: ClosedRange<UInt8>, in bytes: Span<UInt8>, from start: Int) -> Int? {
        var index = start
        while let byte = bytes.byte(index) {
            if finals.contains(byte) { return index + 1 }
            if byte == .newline || byte == .carriageReturn { return index }
            if byte < 0x20 { return start }
            index += 1
        }
        return nil
    }

    /// Behind an operating system command, which ends in BEL or `ESC \`.
    private static func endOfString(_ bytes: Span<UInt8>, from start: Int) -> Int? {
        var index = start
        while let byte = bytes.byte(index) {
            if byte == .bell { return index + 1 }
            if byte == .escape { return bytes.byte(index + 1) == UInt8(ascii: "\\") ? index + 2 : index }
            if byte == .newline || byte == .carriageReturn { return index }
            index += 1
        }
        return nil
    }
}
