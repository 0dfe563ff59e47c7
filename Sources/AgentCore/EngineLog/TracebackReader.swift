/// Finds the exceptions in a log: the last line of every traceback, with the lines of its message that follow.
///
/// Tracebacks of several processes interleave, so each process has its own state. Bounded: `streamLimit` processes,
/// of an exception at most `detailLimit` bytes.
struct TracebackReader: Sendable {
    static let streamLimit = 32
    static let detailLimit = 1024

    /// An exception and what the log says about where it came from.
    struct Found: Sendable {
        var exception: LogException
        var role: EngineRole?
        /// Further lines of the message, joined; pydantic and NCCL say what matters there.
        var detail = ""
        /// Exceptions of one chain (“During handling of…”) share a number.
        var chain = 0
        /// The main program itself was unwound: the process ended by this.
        var endedMainProgram = false
    }

    /// What a line meant to the reader.
    enum Outcome {
        /// None of its business.
        case ignored
        /// Part of a traceback or of a message.
        case consumed
        case found(Found)
        /// One more line of the message of the latest exception of this chain.
        case detail(String, chain: Int)
    }

    private enum Phase {
        case idle
        case frames
        /// Behind the exception line: what follows can belong to its message.
        case message(detailBytes: Int)
    }

    private struct Stream {
        var process: Int
        var phase = Phase.idle
        /// Identifies the log record the traceback is part of; nil for bare standard error.
        var record: UInt64?
        /// What the words before the traceback said about its process.
        var announced: EngineRole?
        /// What the first telling frame said.
        var framed: EngineRole?
        var sawMainProgram = false
        /// The traceback ends nothing: it comes from a destructor, a logging handler or a request.
        var isHarmless = false
        /// The next traceback will be such a one.
        var announcedHarmless = false
        var chain = 0
        var continuesChain = false
    }

    private var streams: [Stream] = []
    private var chains = 0

    /// `record` is the same for all lines of one log record and nil for bare text.
    mutating func read(_ bytes: Span<UInt8>, _ line: LogLine, record: UInt64?) -> Outcome {
        let slot = slot(for: line.process)
        if record != streams[slot].record {
            leaveRecord(slot, record)
        }
        switch streams[slot].phase {
        case .idle: return readIdle(bytes, line, slot)
        case .frames: return readFrame(bytes, line, slot)
        case .message(let used): return readMessage(bytes, line, slot, used)
        }
    }

    /// A record ends with its last line; bare text goes on when the other stream's lines have passed.
    private mutating func leaveRecord(_ slot: Int, _ record: UInt64?) {
        let left = streams[slot].record
        streams[slot].record = record
        if left != nil {
            streams[slot].phase = .idle
        } else if case .message = streams[slot].phase {
            streams[slot].phase = .idle
        }
        streams[slot].announced = nil
        streams[slot].continuesChain = false
    }

    private mutating func slot(for process: Int) -> Int {
        if let known = streams.firstIndex(where: { $0.process == process }) { return known }
        if streams.count == Self.streamLimit { streams.removeFirst() }
        streams.append(Stream(process: process))
        return streams.count - 1
    }
}

// MARK: - Phases

extension TracebackReader {
    private mutating func readIdle(_ bytes: Span<UInt8>, _ line: LogLine, _ slot: Int) -> Outcome {
        let at = line.message
        if isTraceback(bytes, at) {
            announce(bytes, at, slot)
            begin(slot)
            return .consumed
        }
        if announce(bytes, at, slot) { return .consumed }
        // Cut-off or one-line reports. Bare lower-case words before a colon are everybody's.
        guard let type = ExceptionLine(bytes, at), type.endsLikeAnException else {
            return bindError(bytes, line, slot)
        }
        chains += 1
        streams[slot].chain = chains
        streams[slot].isHarmless = false
        streams[slot].sawMainProgram = false
        streams[slot].framed = nil
        return found(bytes, line, slot, type)
    }

    private mutating func begin(_ slot: Int) {
        if !streams[slot].continuesChain {
            chains += 1
            streams[slot].chain = chains
            streams[slot].sawMainProgram = false
            streams[slot].framed = nil
            streams[slot].isHarmless = streams[slot].announcedHarmless
        }
        streams[slot].announcedHarmless = false
        streams[slot].continuesChain = false
        streams[slot].phase = .frames
    }

    private mutating func readFrame(_ bytes: Span<UInt8>, _ line: LogLine, _ slot: Int) -> Outcome {
        let at = line.message
        guard let first = bytes.byte(at) else { return .consumed }
        if first == .space || first == .tab {
            if bytes.starts(with: "  File \"", at: at) { learn(bytes, at, slot) }
            return .consumed
        }
        if isTraceback(bytes, at) {
            begin(slot)
            return .consumed
        }
        guard let type = ExceptionLine(bytes, at) else { return .ignored }
        return found(bytes, line, slot, type)
    }

    private mutating func readMessage(
        _ bytes: Span<UInt8>, _ line: LogLine, _ slot: Int, _ used: Int
    ) -> Outcome {
        let at = line.message
        guard at < bytes.count else { return .consumed }
        if bytes.starts(with: "During handling of the above exception", at: at)
            || bytes.starts(with: "The above exception was the direct cause", at: at)
        {
            streams[slot].continuesChain = true
            streams[slot].phase = .idle
            return .consumed
        }
        if isTraceback(bytes, at) || isAnnouncement(bytes, at) {
            streams[slot].phase = .idle
            if !streams[slot].continuesChain { streams[slot].announced = nil }
            return readIdle(bytes, line, slot)
        }
        let room = Self.detailLimit - used
        guard room > 0 else { return .consumed }
        let text = bytes.text(at..<bytes.count, limit: min(room, 512))
        streams[slot].phase = .message(detailBytes: used + text.utf8.count + 1)
        return streams[slot].isHarmless ? .consumed : .detail(text, chain: streams[slot].chain)
    }

    private mutating func found(
        _ bytes: Span<UInt8>, _ line: LogLine, _ slot: Int, _ type: ExceptionLine
    ) -> Outcome {
        streams[slot].phase = .message(detailBytes: 0)
        defer { streams[slot].announced = nil }
        if streams[slot].isHarmless { return .consumed }
        let role = line.role ?? streams[slot].announced ?? streams[slot].framed
        let exception = LogException(
            type: bytes.text(type.name, limit: 120), message: bytes.text(type.message, limit: 1024),
            process: role?.rawValue)
        return .found(
            Found(
                exception: exception, role: role, chain: streams[slot].chain,
                endedMainProgram: streams[slot].sawMainProgram))
    }

    /// uvicorn up to vLLM 0.7.1 reports a taken port without naming an exception.
    private mutating func bindError(_ bytes: Span<UInt8>, _ line: LogLine, _ slot: Int) -> Outcome {
        guard line.level == .error, bytes.starts(with: "[Errno ", at: line.message) else { return .ignored }
        chains += 1
        streams[slot].chain = chains
        let message = bytes.text(line.message..<bytes.count, limit: 1024)
        let role = line.role ?? .apiServer
        let exception = LogException(type: "OSError", message: message, process: role.rawValue)
        return .found(Found(exception: exception, role: role, chain: chains, endedMainProgram: true))
    }
}

// MARK: - Words around tracebacks

extension TracebackReader {
    private func isTraceback(_ bytes: Span<UInt8>, _ at: Int) -> Bool {
        if bytes.starts(with: "Traceback (most recent call last):", at: at) { return true }
        // `EngineCore hit an exception: Traceback (most recent call last):`
        let words: StaticString = "Traceback (most recent call last):"
        let start = bytes.count - words.utf8CodeUnitCount
        return start > at && bytes.byte(at) != .space && bytes.starts(with: words, at: start)
    }

    private func isAnnouncement(_ bytes: Span<UInt8>, _ at: Int) -> Bool {
        harmless(bytes, at) || announcedRole(bytes, at) != nil
    }

    /// Remembers what a line says about the traceback to come.
    @discardableResult
    private mutating func announce(_ bytes: Span<UInt8>, _ at: Int, _ slot: Int) -> Bool {
        if harmless(bytes, at) {
            streams[slot].announcedHarmless = true
            return true
        }
        guard let role = announcedRole(bytes, at) else { return false }
        streams[slot].announced = role
        return true
    }

    private func harmless(_ bytes: Span<UInt8>, _ at: Int) -> Bool {
        switch bytes.byte(at) {
        case UInt8(ascii: "E"):
            bytes.starts(with: "Exception ignored in", at: at)
                || bytes.starts(with: "Exception in ASGI application", at: at)
        case UInt8(ascii: "-"): bytes.starts(with: "--- Logging error ---", at: at)
        default: false
        }
    }

    private func announcedRole(_ bytes: Span<UInt8>, _ at: Int) -> EngineRole? {
        switch bytes.byte(at) {
        case UInt8(ascii: "P"):
            guard bytes.starts(with: "Process ", at: at), bytes.byte(bytes.count - 1) == UInt8(ascii: ":") else {
                return nil
            }
            // V0's engine is a nameless child: `Process SpawnProcess-1:`.
            return LogLine.role(named: bytes, at: at + 8)
                ?? (bytes.starts(with: "SpawnProcess-", at: at + 8) ? .engineCore : nil)
        case UInt8(ascii: "E"):
            if bytes.starts(with: "EngineCore ", at: at) { return .engineCore }
            return bytes.starts(with: "Exception in worker ", at: at) ? .worker : nil
        case UInt8(ascii: "W"):
            return bytes.starts(with: "WorkerProc ", at: at) ? .worker : nil
        default:
            return nil
        }
    }

    /// The outermost frame that tells decides: it is the process's own entry.
    private mutating func learn(_ bytes: Span<UInt8>, _ at: Int, _ slot: Int) {
        if bytes.contains("/bin/vllm\"") || bytes.contains("/vllm/entrypoints/") {
            streams[slot].framed = streams[slot].framed ?? .apiServer
            if bytes.contains(", in <module>") || bytes.contains("/bin/vllm\"") { streams[slot].sawMainProgram = true }
        } else if streams[slot].framed == nil {
            if bytes.contains("/vllm/v1/engine/core.py") || bytes.contains("/vllm/engine/multiprocessing/engine.py") {
                streams[slot].framed = .engineCore
            } else if bytes.contains("/vllm/v1/worker/") || bytes.contains("/vllm/worker/")
                || bytes.contains("/vllm/executor/multiproc_worker_utils.py")
            {
                streams[slot].framed = .worker
            }
        }
    }
}

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
            guard bytes[end] == UInt8(ascii: ":"), end + 1 == bytes.count || bytes[end + 1] == .space else { return nil }
            message = min(end + 2, bytes.count)..<bytes.count
        }
        endsLikeAnException = Self.isException(bytes, end)
    }

    private static func isException(_ bytes: Span<UInt8>, _ end: Int) -> Bool {
        bytes.starts(with: "Error", at: end - 5) || bytes.starts(with: "Exception", at: end - 9)
    }
}
