/// Reads a log of vLLM, anybody's, and explains the last start in it. Memory is bounded whatever the log's size.
package struct LogExplainer: Sendable {
    private var reader = EngineLogReader()
    private var clock = LogClock()
    private var run = ExplainedRun()
    private var starts = 0
    /// Bytes behind the last newline.
    private var rest: [UInt8] = []
    private var layout = Layout.unknown
    private var bytesRead = 0

    private enum Layout {
        case unknown
        case plain
        /// Every line has a recorder's stamp.
        case stamped
    }

    private static let longestRest = 64 * 1024
    /// A log that has told no time up to here tells none.
    private static let clockSearch = 1 << 20

    package init() {}

    package mutating func feed(_ chunk: [UInt8]) {
        bytesRead += chunk.count
        rest += chunk
        guard let end = rest.lastIndex(of: .newline) else {
            if rest.count > Self.longestRest { takeRest() }
            return
        }
        let block = Array(rest[...end])
        rest.removeFirst(end + 1)
        read(block)
    }

    /// Everything has been fed.
    package mutating func finish() -> StartExplanation {
        takeRest()
        note(reader.feed([.newline]))
        return StartExplanation(run, reader, clock, starts: max(starts, run.isEngine ? 1 : 0))
    }

    private mutating func takeRest() {
        let block = rest
        rest = []
        if !block.isEmpty { read(block) }
    }
}

// MARK: - Lines

extension LogExplainer {
    private mutating func read(_ block: [UInt8]) {
        if layout == .unknown { decideLayout(block) }
        if layout != .stamped, clock.kind != .none || bytesRead > Self.clockSearch, readQuietly(block) { return }
        var start = 0
        while start < block.count {
            var end = start
            while end < block.count, block[end] != .newline, block[end] != .carriageReturn || layout == .stamped {
                end += 1
            }
            let upper = min(end + 1, block.count)
            readLine(Array(block[start..<upper]))
            start = upper
        }
    }

    private mutating func decideLayout(_ block: [UInt8]) {
        guard let first = block.firstIndex(where: { $0 > .space || $0 == .space }) else { return }
        let end = block[first...].firstIndex(of: .newline) ?? block.endIndex
        layout = ArrivalStamp(Array(block[first..<end]).span) == nil ? .plain : .stamped
    }

    /// Most of a log holds no fact: then only the time at its end matters. False where the lines must be read singly.
    private mutating func readQuietly(_ block: [UInt8]) -> Bool {
        var probe = reader
        guard probe.feed(block).isEmpty else { return false }
        reader = probe
        var end = block.count
        // Bare lines at the end have no time; one of the last that has is near enough.
        for _ in 0..<16 where end > 0 {
            let start = block[..<(end - 1)].lastIndex(of: .newline).map { $0 + 1 } ?? 0
            readClock(Array(block[start..<end]))
            end = start
        }
        return true
    }

    private mutating func readLine(_ line: [UInt8]) {
        var line = line
        if layout == .stamped {
            if let stamp = ArrivalStamp(line.span) {
                clock.read(stamp)
                line = Self.unescaped(line, stamp)
            }
        } else {
            readClock(line)
        }
        if let now = clock.now, run.timed.begin == nil, starts <= 1 {
            run.begin(clock.countsFromExec ? .executed : .spoke, at: beginning(now))
        }
        note(reader.feed(line))
    }

    /// A recorder that counts from the exec has seen that at 0.
    private func beginning(_ now: BootInstant) -> BootInstant {
        clock.countsFromExec ? BootInstant(nanoseconds: 0) : now
    }

    private mutating func readClock(_ line: [UInt8]) {
        let head = line.prefix(512)
        if head.contains(.escape) {
            clock.read(line: TerminalText.stripped(Array(head).span).span)
        } else {
            clock.read(line: Array(head).span)
        }
    }

    /// The line as the engine wrote it.
    private static func unescaped(_ line: [UInt8], _ stamp: ArrivalStamp) -> [UInt8] {
        var text = Array(line[min(stamp.text, line.count)...])
        guard stamp.isEscaped, text.last == .newline else { return text }
        text.removeLast()
        if text.span.ends(with: "\\r\\n") { return text.dropLast(4) + [.carriageReturn, .newline] }
        if text.span.ends(with: "\\r") { return text.dropLast(2) + [.carriageReturn] }
        return text + [.newline]
    }
}

// MARK: - Facts

extension LogExplainer {
    private mutating func note(_ facts: [LogFact]) {
        for fact in facts {
            if case .version = fact {
                starts += 1
                if run.sawBanner { run = ExplainedRun() }
            }
            if run.timed.begin == nil, let now = clock.now { run.begin(.spoke, at: now) }
            run.note(fact, at: clock.now, troubles: reader.evidence.troubles)
        }
    }
}

extension FailureEvidence {
    /// Everything that can be a cause.
    var troubles: Int { exceptions.count + deaths.count }
}
