/// Lines in, facts out: the state that lasts from line to line.
struct LogInterpreter: Sendable {
    private(set) var evidence = FailureEvidence()
    private(set) var unknownLines = 0
    private let grammar = LogGrammar.standard
    private var tracebacks = TracebackReader()
    /// Files up to 0.9, tensors from 0.10 on; nil until the version is known.
    private var streamerUnit: WeightsUnit?
    /// Header of the line before, if that line ended in `\r`: vLLM writes the lines of one record that way, each with
    /// the same header. Only the first can be a message of vLLM's own; the others may be text that a client sent.
    private var recordHeader: UInt64?
    /// A pydantic exception that waits one line for the words that say what is wrong.
    private var held: LogException?
    private var hold = Hold.nothing

    private enum Hold {
        case nothing
        case fromThisLine
        case fromLineBefore
    }

    mutating func read(_ bytes: Span<UInt8>, _ line: LineAssembler.Line, into facts: inout [LogFact]) {
        let parsed = LogLine(bytes)
        var isContinuation = false
        if recordHeader != nil || line.endsInReturn {
            let header = Self.hash(bytes, before: parsed.message)
            isContinuation = line.followsReturnNewline && parsed.level != nil && recordHeader == header
            recordHeader = line.endsInReturn ? header : nil
        }
        if parsed.level == nil, bytes.byte(parsed.message) == UInt8(ascii: "{"),
            let record = JSONLogRecord(bytes, at: parsed.message)
        {
            read(record, into: &facts)
            return
        }
        let before = facts.count
        let understood = read(bytes, parsed, isContinuation: isContinuation, into: &facts)
        if !understood, facts.count == before { unknownLines += 1 }
    }

    /// What an unfinished bar says. Nothing where it would say nothing if its line ended here.
    func progress(_ bytes: Span<UInt8>, followsReturnNewline: Bool) -> LogFact? {
        let line = LogLine(bytes)
        let mayContinueRecord = followsReturnNewline && line.level != nil && recordHeader != nil
        if mayContinueRecord, recordHeader == Self.hash(bytes, before: line.message) { return nil }
        return switch grammar.fact(bytes, at: line.message) {
        case .weightsProgress(let done, let total, let unit):
            .weightsProgress(done: done, total: total, unit: unit ?? streamerUnit)
        case .graphCaptureProgress(let done, let total):
            .graphCaptureProgress(done: done, total: total)
        case .graphCaptureStarted:
            .graphCaptureStarted
        default:
            nil
        }
    }

    /// FNV-1a over words. Equal headers matter, not who could forge one.
    private static func hash(_ bytes: Span<UInt8>, before end: Int) -> UInt64 {
        bytes.withUnsafeBytes { bytes in
            var hash: UInt64 = 0xCBF2_9CE4_8422_2325
            var index = 0
            while index + 8 <= end {
                hash = (hash ^ bytes.loadUnaligned(fromByteOffset: index, as: UInt64.self)) &* 0x100_0000_01B3
                hash ^= hash >> 29
                index += 8
            }
            while index < end {
                hash = (hash ^ UInt64(bytes[index])) &* 0x100_0000_01B3
                index += 1
            }
            return hash
        }
    }
}

// MARK: - One line

extension LogInterpreter {
    /// Whether the line was part of something known.
    private mutating func read(
        _ bytes: Span<UInt8>, _ line: LogLine, isContinuation: Bool, into facts: inout [LogFact]
    ) -> Bool {
        defer { endLine(into: &facts) }
        if let fact = grammar.fact(bytes, at: line.message), admits(fact, line, isContinuation) {
            take(fact, line, into: &facts)
            readBehindBar(bytes, line, fact, into: &facts)
            return true
        }
        if line.source == .streamer {
            guard line.level == .error else { return false }
            evidence.note(streamerError: bytes.text(line.message..<bytes.count, limit: 512))
            return true
        }
        guard line.level == nil || line.level == .error else { return false }
        return readException(bytes, line, into: &facts)
    }

    private func admits(_ fact: LogFact, _ line: LogLine, _ isContinuation: Bool) -> Bool {
        switch fact {
        case .version: line.level == nil || line.level == .info
        case .processDied: !isContinuation && line.level != .info && line.level != .debug
        default: !isContinuation
        }
    }

    private mutating func take(_ fact: LogFact, _ line: LogLine, into facts: inout [LogFact]) {
        var fact = fact
        switch fact {
        case .version(let version), .engineCoreInitialising(let version):
            streamerUnit = Self.unit(ofVersion: version)
        case .weightsProgress(let done, let total, nil):
            fact = .weightsProgress(done: done, total: total, unit: streamerUnit)
        default:
            break
        }
        release(into: &facts)
        evidence.note(fact, from: line.role)
        facts.append(fact)
    }

    /// tqdm leaves its line open: what another process writes meanwhile stands behind the bar on the same line. The
    /// same goes for the AWS library's last words, which have no newline.
    private mutating func readBehindBar(
        _ bytes: Span<UInt8>, _ line: LogLine, _ fact: LogFact, into facts: inout [LogFact]
    ) {
        var end: Int
        switch fact {
        case .weightsProgress, .graphCaptureProgress, .graphCaptureStarted:
            guard let bar = ProgressBar(bytes, from: line.message) else { return }
            end = bar.end
        case .processDied:
            let words: StaticString = "aws_mem_acquire with allocator"
            guard let start = bytes.firstIndex(of: words, from: line.message) else { return }
            end = start + words.utf8CodeUnitCount
        default:
            return
        }
        end = bytes.skip(.space, from: end)
        guard end < bytes.count else { return }
        let rest = bytes.extracting(end..<bytes.count)
        _ = read(rest, LogLine(rest), isContinuation: false, into: &facts)
    }

    private mutating func readException(
        _ bytes: Span<UInt8>, _ line: LogLine, into facts: inout [LogFact]
    ) -> Bool {
        if let error = CommandLineError(bytes, line.message, sawUsage: evidence.sawUsage) {
            switch error {
            case .usage: evidence.noteUsage()
            case .error(let text): report(found(argparse: text, line), into: &facts)
            }
            return true
        }
        let record = line.level == nil ? nil : Self.hash(bytes, before: line.message)
        switch tracebacks.read(bytes, line, record: record) {
        case .ignored:
            return false
        case .consumed:
            return true
        case .detail(let text, let chain):
            evidence.note(detail: text, ofChain: chain)
            if hold != .nothing {
                held?.message += ": \(FailureClassifier.trimmed(text[...]))"
                release(into: &facts)
            }
            return true
        case .found(let found):
            report(found, into: &facts)
            return true
        }
    }

    private func found(argparse text: String, _ line: LogLine) -> TracebackReader.Found {
        let role = line.role ?? .apiServer
        let exception = LogException(type: "error", message: text, process: role.rawValue)
        return TracebackReader.Found(exception: exception, role: role, endedMainProgram: true)
    }

    private mutating func report(_ found: TracebackReader.Found, into facts: inout [LogFact]) {
        release(into: &facts)
        evidence.note(found)
        if found.exception.saysNothing, !found.exception.message.isEmpty {
            held = found.exception
            hold = .fromThisLine
        } else {
            facts.append(.exception(found.exception))
        }
    }

    private mutating func endLine(into facts: inout [LogFact]) {
        switch hold {
        case .nothing: break
        case .fromThisLine: hold = .fromLineBefore
        case .fromLineBefore: release(into: &facts)
        }
    }

    private mutating func release(into facts: inout [LogFact]) {
        guard hold != .nothing, let exception = held else { return }
        hold = .nothing
        held = nil
        facts.append(.exception(exception))
    }

    /// The streamer's bar counts files up to 0.9 and tensors from 0.10 on.
    private static func unit(ofVersion version: String) -> WeightsUnit? {
        let bytes = Array(version.utf8)
        var at = 0
        guard let major = bytes.span.integer(at: &at), bytes.span.consume(".", at: &at),
            let minor = bytes.span.integer(at: &at)
        else { return nil }
        return major == 0 && minor < 10 ? .files : .tensors
    }
}

// MARK: - JSON

extension LogInterpreter {
    private mutating func read(_ record: JSONLogRecord, into facts: inout [LogFact]) {
        let before = facts.count
        var understood = false
        var isFirst = true
        let text = record.traceback.isEmpty ? record.message : record.message + [.newline] + record.traceback
        for piece in text.split(separator: .newline, omittingEmptySubsequences: true) {
            let bytes = Array(piece)
            var line = LogLine(bytes.span)
            line.role = record.role ?? line.role
            line.process = record.process != 0 ? record.process : line.process
            line.level = record.level ?? line.level
            if read(bytes.span, line, isContinuation: !isFirst, into: &facts) { understood = true }
            isFirst = false
        }
        if !understood, facts.count == before { unknownLines += 1 }
    }
}

/// What argparse prints before it exits with 2.
enum CommandLineError {
    case usage
    /// The part behind `error: `.
    case error(String)

    /// Compilers speak the same way (`g++: error: …`), so the program must be vLLM or its help must stand above.
    init?(_ bytes: Span<UInt8>, _ start: Int, sawUsage: Bool) {
        guard let first = bytes.byte(start), first.isLetter || first == UInt8(ascii: "_") else { return nil }
        if bytes.starts(with: "usage: ", at: start) {
            self = .usage
            return
        }
        guard let mark = bytes.firstIndex(of: UInt8(ascii: ":"), from: start, before: start + 80),
            bytes.starts(with: ": error: ", at: mark)
        else { return nil }
        let isEngine =
            bytes.starts(with: "vllm", at: start) || bytes.starts(with: "api_server", at: start)
            || bytes.starts(with: "__main__.py", at: start)
        guard isEngine || sawUsage else { return nil }
        self = .error(bytes.text(mark + 9..<bytes.count, limit: 1024))
    }
}
