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
    private var untimed = UntimedFacts()

    private enum Layout {
        case unknown
        case plain
        /// Every line has a recorder's stamp.
        case stamped
    }

    private static let longestRest = 64 * 1024
    /// A log that has told no time up to here tells none.
    private static let clockSearch = 1 << 20
    /// A line's time stands within this many bytes.
    private static let headerSearch = 2048

    package init() {}

    /// Bytes of log kept between calls; bounded whatever the log holds.
    var heldBytes: Int { rest.count + reader.heldBytes }

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
        note(reader.feed([.newline]), of: [], isTimed: false)
        settle(until: nil)
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
        let mayBeQuiet = !untimed.needsNextTime && (clock.kind != .none || bytesRead > Self.clockSearch)
        if layout != .stamped, mayBeQuiet, readQuietly(block) { return }
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
        let before = clock.now
        defer { if clock.now != before { settle(since: before, until: clock.now) } }
        var end = block.count
        // Bare lines at the end have no time; one of the last that has is near enough.
        for _ in 0..<16 where end > 0 {
            let start = block[..<(end - 1)].lastIndex(of: .newline).map { $0 + 1 } ?? 0
            if readClock(Array(block[start..<end])) { break }
            end = start
        }
        return true
    }

    private mutating func readLine(_ line: [UInt8]) {
        var line = line
        var isTimed = true
        let before = clock.now
        if layout == .stamped {
            if let stamp = ArrivalStamp(line.span) {
                clock.read(stamp)
                line = Self.unescaped(line, stamp)
            }
        } else if readClock(line) {
            settle(since: before, until: clock.now)
        } else {
            isTimed = clock.kind != .log
        }
        if let now = clock.now, run.timed.begin == nil, starts <= 1 {
            run.begin(clock.countsFromExec ? .executed : .spoke, at: beginning(now))
        }
        note(reader.feed(line), of: line, isTimed: isTimed)
    }

    /// A recorder that counts from the exec has seen that at 0.
    private func beginning(_ now: BootInstant) -> BootInstant {
        clock.countsFromExec ? BootInstant(nanoseconds: 0) : now
    }

    /// Whether the line has a time.
    private mutating func readClock(_ line: [UInt8]) -> Bool {
        let head = Array(line.prefix(Self.headerSearch))
        guard head.contains(.escape) else { return clock.read(line: head.span) }
        return clock.read(line: TerminalText.stripped(head.span).span)
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
    private mutating func note(_ facts: [LogFact], of line: [UInt8], isTimed: Bool) {
        for fact in facts {
            if isTimed || untimed.isFull {
                note(fact, at: clock.now, isExact: isTimed, troubles: reader.evidence.troubles)
            } else {
                untimed.add(fact, line: line.span, troubles: reader.evidence.troubles)
            }
        }
    }

    /// The next time is known: what came since the last one can be placed.
    private mutating func settle(since before: BootInstant? = nil, until now: BootInstant?) {
        guard !untimed.isEmpty, var lower = before ?? clock.now else { return }
        for waiting in untimed.removeAll() {
            lower = run.timed.place(waiting, lower, now)
            note(waiting.fact, at: lower, isExact: false, troubles: waiting.troubles)
        }
    }

    private mutating func note(_ fact: LogFact, at now: BootInstant?, isExact: Bool, troubles: Int) {
        if case .version = fact {
            starts += 1
            if run.sawBanner { run = ExplainedRun() }
        }
        if run.timed.begin == nil, let now { run.begin(.spoke, at: now) }
        run.note(fact, at: now, isExact: isExact, troubles: troubles)
    }
}

extension FailureEvidence {
    /// Everything that can be a cause.
    var troubles: Int { exceptions.count + deaths.count }
}
