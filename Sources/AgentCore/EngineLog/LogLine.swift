/// What kind of process wrote a line. Deeper ones know more: a worker's exception is the cause, what its parents say
/// about it afterwards is not.
enum EngineRole: String, Sendable {
    case apiServer = "APIServer"
    case engineCore = "EngineCore"
    case worker = "Worker"

    /// Higher is nearer to the hardware.
    var depth: Int {
        switch self {
        case .apiServer: 1
        case .engineCore: 2
        case .worker: 3
        }
    }
}

enum LogLevel: Sendable {
    case debug
    case info
    case warning
    case error
}

/// Who printed a line; not every message means the same from everybody.
enum LogSource: Sendable {
    case engine
    /// The streamer's C++ part.
    case streamer
}

/// A line taken apart: everything before the message is understood and left behind.
///
/// Styles (`INFO` stands for any level), each with none, one or several process names before it:
/// ```
/// INFO 04-01 12:00:00 model_runner.py:1099] message            vLLM ≤ 0.7.3
/// INFO 04-01 12:00:00 [model_runner.py:1099] message           vLLM ≥ 0.8
/// INFO:     message                                            uvicorn
/// INFO:name:message                                            Python's default
/// 2026-11-21 18:05:58,188 [INFO] message                       streamer, Python part
/// [2026-11-21 18:43:24.666] [ERROR  ] [pid tid] [file @ f] message    streamer, C++ part
/// 2026-03-08 16:44:29,692 - INFO - file.py:262 - name: message        FlashInfer and other libraries
/// W1121 19:19:56.305000 28538 torch/x.py:53] message           PyTorch
/// 2026-11-21T18:00:00.000000000Z stdout F …                    a container runtime before any of these
/// ```
struct LogLine: Sendable {
    var role: EngineRole?
    /// Process id as printed; 0 where the line does not say. Tells interleaved tracebacks apart.
    var process: Int = 0
    /// nil for bare text such as a traceback on standard error.
    var level: LogLevel?
    var source = LogSource.engine
    /// Where the message begins.
    var message: Int = 0

    init(_ bytes: Span<UInt8>) {
        var at = 0
        skipOuterStamp(bytes, &at)
        var names = 0
        while names < 4, readProcessName(bytes, &at) { names += 1 }
        message = at
        guard let first = bytes.byte(at) else { return }
        switch first {
        case UInt8(ascii: "C"), UInt8(ascii: "D"), UInt8(ascii: "E"), UInt8(ascii: "I"), UInt8(ascii: "W"),
            UInt8(ascii: "F"):
            readLevelFirst(bytes, at)
        case UInt8(ascii: "["):
            readBracket(bytes, at)
        case UInt8(ascii: "0")...UInt8(ascii: "9"):
            readTimeFirst(bytes, at)
        default:
            break
        }
    }
}

// MARK: - Before the header

extension LogLine {
    /// What `docker logs -t` and the Kubernetes log files put before every line.
    private func skipOuterStamp(_ bytes: Span<UInt8>, _ at: inout Int) {
        guard bytes.byte(0)?.isDigit == true, bytes.byte(10) == UInt8(ascii: "T") else { return }
        var index = 0
        guard LogTime.skipDateTime(bytes, &index), bytes.byte(index) == .space else { return }
        index += 1
        if bytes.starts(with: "stdout ", at: index) || bytes.starts(with: "stderr ", at: index) {
            index += 7
            if bytes.byte(index + 1) == .space { index += 2 }
        }
        at = index
    }

    /// `(EngineCore_DP0 pid=77) `, `(VllmWorker rank=0 pid=77) `, `(RayWorkerWrapper pid=7, ip=10.0.0.2) `, `[rank0]: `.
    private mutating func readProcessName(_ bytes: Span<UInt8>, _ at: inout Int) -> Bool {
        if bytes.starts(with: "[rank", at: at) { return readRank(bytes, &at) }
        guard bytes.byte(at) == UInt8(ascii: "("), bytes.byte(at + 1)?.isLetter == true else { return false }
        guard let close = bytes.firstIndex(of: UInt8(ascii: ")"), from: at, before: at + 96) else { return false }
        let head = bytes.extracting(at..<close)
        guard var number = head.firstIndex(of: " pid=") else { return false }
        number += 5
        guard let pid = head.integer(at: &number) else { return false }
        process = pid
        role = Self.role(named: bytes, at: at + 1) ?? role
        at = close + 1
        if bytes.byte(at) == .space { at += 1 }
        return true
    }

    /// PyTorch's name for a process of a distributed job, put before uncaught exceptions.
    private mutating func readRank(_ bytes: Span<UInt8>, _ at: inout Int) -> Bool {
        var index = at + 5
        guard let rank = bytes.integer(at: &index), bytes.consume("]:", at: &index) else { return false }
        role = role ?? .worker
        if process == 0 { process = -1 - rank }
        at = bytes.byte(index) == .space ? index + 1 : index
        return true
    }

    static func role(named bytes: Span<UInt8>, at start: Int) -> EngineRole? {
        if bytes.starts(with: "EngineCore", at: start) { return .engineCore }
        if bytes.starts(with: "APIServer", at: start) || bytes.starts(with: "ApiServer", at: start) {
            return .apiServer
        }
        let isWorker =
            bytes.starts(with: "Worker", at: start) || bytes.starts(with: "VllmWorker", at: start)
            || bytes.starts(with: "RayWorker", at: start)
        return isWorker ? .worker : nil
    }
}

// MARK: - Headers

extension LogLine {
    private mutating func readLevelFirst(_ bytes: Span<UInt8>, _ start: Int) {
        var at = start
        guard let level = LogTime.level(bytes, &at) else {
            readTorchHeader(bytes, start)
            return
        }
        if bytes.byte(at) == UInt8(ascii: ":") {
            readColonHeader(bytes, at + 1, level)
            return
        }
        guard bytes.byte(at) == .space else { return }
        at += 1
        guard LogTime.skipDateTime(bytes, &at) else { return }
        at = bytes.skip(.space, from: at)
        self.level = level
        message = LogTime.skipFileAndLine(bytes, at)
    }

    /// `INFO:     message` of uvicorn or `INFO:name:message` of Python's default handler.
    private mutating func readColonHeader(_ bytes: Span<UInt8>, _ start: Int, _ level: LogLevel) {
        let text = bytes.skip(.space, from: start)
        if text > start {
            self.level = level
            message = text
            return
        }
        guard let colon = bytes.firstIndex(of: UInt8(ascii: ":"), from: start, before: start + 96),
            bytes.firstIndex(of: .space, from: start, before: colon) == nil
        else { return }
        self.level = level
        message = colon + 1
    }

    /// `W1121 19:19:56.305000 28538 torch/_library/triton.py:53] message`, also with a `[` before it.
    private mutating func readTorchHeader(_ bytes: Span<UInt8>, _ start: Int) {
        guard let letter = bytes.byte(start), bytes.byte(start + 5) == .space else { return }
        for offset in 1...4 where bytes.byte(start + offset)?.isDigit != true { return }
        let level: LogLevel
        switch letter {
        case UInt8(ascii: "I"): level = .info
        case UInt8(ascii: "W"): level = .warning
        case UInt8(ascii: "E"), UInt8(ascii: "F"): level = .error
        default: return
        }
        guard let close = bytes.firstIndex(of: UInt8(ascii: "]"), from: start, before: start + 200) else { return }
        self.level = level
        message = bytes.skip(.space, from: close + 1)
    }

    private mutating func readBracket(_ bytes: Span<UInt8>, _ start: Int) {
        var at = start + 1
        guard bytes.byte(at)?.isDigit == true else {
            readTorchHeader(bytes, at)
            return
        }
        guard LogTime.skipDateTime(bytes, &at), bytes.consume("] [", at: &at),
            let level = LogTime.level(bytes, &at)
        else { return }
        // The rest of the level, then `[pid tid]`, then `[file:line @ function]`.
        for _ in 0..<3 {
            guard let close = bytes.firstIndex(of: UInt8(ascii: "]"), from: at, before: at + 160) else { return }
            at = close + 1
        }
        self.level = level
        source = .streamer
        message = bytes.skip(.space, from: at)
    }

    private mutating func readTimeFirst(_ bytes: Span<UInt8>, _ start: Int) {
        var at = start
        guard LogTime.skipDateTime(bytes, &at), bytes.byte(at) == .space else { return }
        at += 1
        if bytes.byte(at) == UInt8(ascii: "[") {
            at += 1
            guard let level = LogTime.level(bytes, &at) else { return }
            guard let close = bytes.firstIndex(of: UInt8(ascii: "]"), from: at, before: at + 8) else { return }
            self.level = level
            message = bytes.skip(.space, from: close + 1)
            return
        }
        guard bytes.consume("- ", at: &at) else {
            guard let level = LogTime.level(bytes, &at), bytes.byte(at) == .space else { return }
            self.level = level
            message = LogTime.skipFileAndLine(bytes, at + 1)
            return
        }
        readDashedHeader(bytes, at)
    }

    /// `INFO - file.py:262 - name: message` or `name - INFO - message`, behind a time.
    private mutating func readDashedHeader(_ bytes: Span<UInt8>, _ start: Int) {
        var at = start
        var level = LogTime.level(bytes, &at)
        if level == nil, let dash = bytes.firstIndex(of: " - ", from: at), dash - at < 96 {
            at = dash + 3
            level = LogTime.level(bytes, &at)
        }
        guard let level, bytes.consume(" - ", at: &at) else { return }
        self.level = level
        message = at
    }
}
