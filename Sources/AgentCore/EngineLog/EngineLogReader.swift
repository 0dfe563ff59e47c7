/// Bytes of the engine's log in, facts out. A value: memory bounded by a constant, no clock, no file.
///
/// A line goes through four steps, each a small value of its own: `LineAssembler` cuts it out, `LogLine` takes off what
/// stands before the message, `LogGrammar` knows the messages, `TracebackReader` the exceptions. `FailureEvidence` keeps
/// what a verdict may need, `FailureClassifier` gives it.
package struct EngineLogReader: Sendable {
    private var assembler = LineAssembler()
    private var interpreter = LogInterpreter()
    /// The raw end of the log, for a verdict nobody gave a reason for.
    private var tail: [UInt8] = []
    private static let tailLimit = 4096

    package init() {}

    /// Lines that held nothing known, access log and route lists among them.
    package var unknownLines: Int { interpreter.unknownLines }

    /// What the log holds against the engine so far.
    var evidence: FailureEvidence { interpreter.evidence }

    /// Bytes of log kept between calls; bounded whatever the log holds.
    var heldBytes: Int { assembler.heldBytes + tail.count }

    /// Facts in the order they stand in the bytes. Lines end at `\n` or `\r`; a partial one is kept for the next call.
    /// However the bytes are cut into calls, the facts are the same.
    package mutating func feed(_ bytes: [UInt8]) -> [LogFact] {
        var facts: [LogFact] = []
        let chunk = bytes.span
        var position = 0
        while let line = assembler.next(in: chunk, from: &position) {
            if let range = line.range {
                interpreter.read(chunk.extracting(range), line, into: &facts)
            } else {
                let assembled = assembler.assembled
                interpreter.read(assembled.span, line, into: &facts)
            }
        }
        keepTail(bytes)
        return facts
    }

    /// What a progress bar says that has not come to its line's end. A bar of CUDA graph capture is redrawn for minutes
    /// without one; ask when nothing more comes.
    package func unfinishedProgress() -> LogFact? {
        assembler.withUnfinished {
            interpreter.progress($0, followsReturnNewline: assembler.afterReturnNewline)
        }
    }

    /// Of the bytes fed, those behind the last line's end, however many of them are kept.
    package var unfinishedBytes: Int { assembler.unfinishedBytes }

    /// The verdict on a start or run that ended, from everything fed so far.
    package func explain(_ exit: EngineExit?) -> FailureReport {
        var last = self
        // The last line of a process that died in the middle of it.
        _ = last.feed([.newline])
        return FailureClassifier(evidence: last.interpreter.evidence, lastLines: last.lastLines()).report(exit)
    }

    private mutating func keepTail(_ bytes: [UInt8]) {
        tail += bytes[max(0, bytes.count - Self.tailLimit)...]
        if tail.count > 2 * Self.tailLimit { tail.removeFirst(tail.count - Self.tailLimit) }
    }

    /// The last eight lines, but for those that can hold secrets or say nothing.
    private func lastLines() -> [String] {
        var assembler = LineAssembler()
        var lines: [String] = []
        let bytes = Array(tail[max(0, tail.count - Self.tailLimit)...])
        // The first line is cut: what is left of it could be what the filter below is there for.
        var position = bytes.count < Self.tailLimit ? 0 : (bytes.firstIndex(of: .newline) ?? bytes.count)
        while let line = assembler.next(in: bytes.span, from: &position) {
            let text =
                line.range.map { bytes.span.text($0, limit: 512) }
                ?? assembler.assembled.span.text(0..<assembler.assembled.count, limit: 512)
            if text.contains("args: ") || text.contains("] Route: ") || text.contains("HTTP/1.1\"") { continue }
            lines.append(text)
            if lines.count > 8 { lines.removeFirst() }
        }
        return lines
    }
}
