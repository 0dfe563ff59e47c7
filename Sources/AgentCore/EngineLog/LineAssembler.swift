/// Cuts bytes into lines. Ends are `\n`, `\r` and `\r\n`; a partial line waits for the next call.
///
/// Memory is bounded: of a line longer than `longestLine` the head is kept and the rest dropped until its end.
/// Terminal control sequences are removed, NULs before a line (a file truncated under its writer has gigabytes of
/// them) are skipped. Everything else, invalid UTF-8 included, is handed on as it is.
struct LineAssembler: Sendable {
    /// In bytes. vLLM's longest own lines, the engine's configuration, are a third of this.
    static let longestLine = 16 * 1024

    /// In bytes. A bar is as wide as a terminal, and redrawn more often than anything else is written.
    static let longestBar = 1024

    /// Where a line is and how it stood in the log.
    struct Line {
        /// Its bytes in the chunk; nil when they are in `assembled`, because they came in pieces or were cleaned.
        var range: Range<Int>?
        /// Ended by `\r`: an overdrawn progress bar, or a line within a multi-line record of vLLM (`\r\n`).
        var endsInReturn: Bool
        /// The line before it ended in `\r\n`: within a record vLLM joins its lines that way.
        var followsReturnNewline: Bool
        var isTruncated: Bool
    }

    /// The bytes of the last line that was not simply a part of the chunk.
    private(set) var assembled: [UInt8] = []
    /// What there is of the unfinished line, at most `longestLine` bytes.
    private var partial: [UInt8] = []
    private var partialHasEscapes = false
    private var partialIsTruncated = false
    /// Bytes fed since the last line's end, those dropped included.
    private(set) var unfinishedBytes = 0
    /// The last line ended in `\r`: a `\n` that comes next is the rest of that end.
    private var afterReturn = false
    private(set) var afterReturnNewline = false

    /// The next whole line at or after `position`; nil when the chunk is used up and its rest is kept.
    mutating func next(in chunk: Span<UInt8>, from position: inout Int) -> Line? {
        while position < chunk.count {
            if afterReturn {
                afterReturn = false
                if chunk[position] == .newline {
                    afterReturnNewline = true
                    position += 1
                    continue
                }
            }
            let found = scan(chunk, from: position)
            guard let end = found.end else {
                keep(chunk, found)
                unfinishedBytes += chunk.count - position
                position = chunk.count
                return nil
            }
            position = end + 1
            unfinishedBytes = 0
            let line = finish(chunk, found, end)
            afterReturn = chunk[end] == .carriageReturn
            if let line { return line }
        }
        return nil
    }

    /// The unfinished line as far as it has come: a progress bar is drawn for minutes without an end. nil when there is
    /// none, which is nearly always, or one too long for a bar. No copy but for terminal sequences.
    func withUnfinished<Result>(_ read: (Span<UInt8>) -> Result?) -> Result? {
        guard !partial.isEmpty, partial.count <= Self.longestBar else { return nil }
        return partialHasEscapes ? read(TerminalText.stripped(partial.span).span) : read(partial.span)
    }

    var heldBytes: Int { assembled.count + partial.count }

    private struct Scan {
        /// Behind the NULs; bytes are counted from here.
        var start: Int
        /// Behind control sequences that stand before the text.
        var text: Int
        var end: Int?
        var hasEscapes = false
    }

    private func scan(_ chunk: Span<UInt8>, from position: Int) -> Scan {
        var found = Scan(start: position, text: position)
        if partial.isEmpty {
            found.start = chunk.skip(0, from: position)
            found.text = TerminalText.skipLead(chunk, from: found.start)
        }
        var index = found.text
        while let control = ByteScanner.control(in: chunk, from: index) {
            switch chunk[control] {
            case .newline, .carriageReturn:
                found.end = control
                return found
            case .escape:
                found.hasEscapes = true
            default:
                break
            }
            index = control + 1
        }
        return found
    }

    /// The line that ends at `end`; nil for an empty one.
    private mutating func finish(_ chunk: Span<UInt8>, _ found: Scan, _ end: Int) -> Line? {
        defer { afterReturnNewline = false }
        var line = Line(
            range: nil, endsInReturn: chunk[end] == .carriageReturn, followsReturnNewline: afterReturnNewline,
            isTruncated: end - found.start > Self.longestLine)
        if partial.isEmpty, !found.hasEscapes {
            let upper = min(end, found.start + Self.longestLine)
            guard found.text < upper else { return nil }
            line.range = found.text..<upper
            return line
        }
        keep(chunk, found)
        line.isTruncated = partialIsTruncated
        if partialHasEscapes {
            assembled = TerminalText.stripped(partial.span)
        } else {
            swap(&assembled, &partial)
        }
        partial.removeAll(keepingCapacity: true)
        partialHasEscapes = false
        partialIsTruncated = false
        return assembled.isEmpty ? nil : line
    }

    private mutating func keep(_ chunk: Span<UInt8>, _ found: Scan) {
        let end = found.end ?? chunk.count
        let upper = min(end, found.start + Self.longestLine - partial.count)
        if upper < end { partialIsTruncated = true }
        if found.hasEscapes || found.text > found.start { partialHasEscapes = true }
        guard upper > found.start else { return }
        chunk.extracting(found.start..<upper).withUnsafeBufferPointer { partial.append(contentsOf: $0) }
    }
}

extension UInt8 {
    static let newline = UInt8(ascii: "\n")
    static let carriageReturn = UInt8(ascii: "\r")
    static let escape: UInt8 = 0x1B
    static let bell: UInt8 = 0x07
    static let space = UInt8(ascii: " ")
    static let tab = UInt8(ascii: "\t")
}
