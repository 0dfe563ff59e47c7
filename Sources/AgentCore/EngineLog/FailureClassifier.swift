/// The verdict on an engine that ended.
///
/// In a failure of several processes the last line is always the generic one (“Engine core initialization failed. See
/// root cause above.”). The cause is the first real exception of the process nearest to the hardware: worker, then
/// engine core, then API server. Within a chain (“During handling of the above exception…”) the last one that says
/// something counts, since it explains the ones before in the program's terms. Exit codes decide only where the log is
/// silent: vLLM exits with 0 after its engine died.
struct FailureClassifier: Sendable {
    static let messageLimit = 1024
    static let evidenceLimit = 8
    static let evidenceLineLimit = 512

    var evidence: FailureEvidence
    /// The last lines of the log, for a verdict nobody gave a reason for.
    var lastLines: [String]

    func report(_ exit: EngineExit?) -> FailureReport {
        if let cause = rootCause() { return report(cause, exit) }
        if let death = deciding(evidence.deaths) { return report(death, exit) }
        return report(withoutReason: exit)
    }

    private func rootCause() -> TracebackReader.Found? {
        let real = evidence.exceptions.filter { !FailureSignature.isGeneric($0) }
        let deepest = real.max { left, right in depth(left) < depth(right) }
        guard let deepest, let first = real.first(where: { depth($0) == depth(deepest) }) else { return nil }
        let chain = real.filter { $0.chain == first.chain }
        return chain.last { FailureSignature.match(Self.text($0)) != nil } ?? chain.last
    }

    /// Bare text could be anybody's, but it is not what the API server says of others.
    private func depth(_ found: TracebackReader.Found) -> Double {
        found.role.map { Double($0.depth) } ?? 1.5
    }

    /// The most telling last words: those with a class before those that only report the death.
    private func deciding(_ deaths: [FailureEvidence.Death]) -> FailureEvidence.Death? {
        deaths.first { FailureSignature.match($0.text) != nil } ?? deaths.first
    }
}

// MARK: - Reports

extension FailureClassifier {
    private func report(_ cause: TracebackReader.Found, _ exit: EngineExit?) -> FailureReport {
        let failure = FailureSignature.match(Self.text(cause)) ?? .unknown
        var message = Self.sentence(cause)
        if failure == .weightsUnreadable, let detail = evidence.streamerErrors.first {
            message += " (\(detail))"
        }
        // The message repeats the first streamer error only where it belongs to the verdict.
        var lines = [message]
        lines += evidence.streamerErrors.filter { !message.contains($0) }
        lines += others(than: cause).map(Self.sentence)
        lines += evidence.deaths.map(\.text)
        return make(failure, message, cause.exception.process, lines, exit)
    }

    private func report(_ death: FailureEvidence.Death, _ exit: EngineExit?) -> FailureReport {
        let failure = FailureSignature.match(death.text) ?? .engineDied
        var lines = [death.text]
        lines += evidence.deaths.map(\.text).filter { $0 != death.text }
        lines += evidence.streamerErrors
        lines += evidence.exceptions.map(Self.sentence)
        return make(failure, death.text, death.role?.rawValue, lines, exit)
    }

    private func report(withoutReason exit: EngineExit?) -> FailureReport {
        if let generic = evidence.exceptions.first {
            let lines = evidence.exceptions.map(Self.sentence) + evidence.streamerErrors
            return make(.engineDied, Self.sentence(generic), generic.exception.process, lines, exit)
        }
        let lines = evidence.streamerErrors + lastLines
        switch exit {
        case .exited(code: 2) where evidence.sawUsage:
            return make(.badFlag, "the engine refused its command line", nil, lines, exit)
        case .exited(code: 126), .exited(code: 127):
            return make(.engineMissing, "the engine's program could not be executed", nil, lines, exit)
        case .signalled(let signal, _):
            let name = Self.name(ofSignal: signal)
            let message = "the engine's main process was killed by \(name); the log gives no reason"
            return make(.engineDied, message, nil, lines, exit)
        case .exited where evidence.wasAskedToStop:
            return make(.engineDied, "somebody else asked the engine to stop, and it did", nil, lines, exit)
        case .exited(code: 0):
            return make(.engineDied, "the engine ended by itself; the log gives no reason", nil, lines, exit)
        case .exited, nil:
            return make(.unknown, "the log gives no reason", nil, lines, exit)
        }
    }

    private func make(
        _ failure: FailureClass, _ message: String, _ process: String?, _ lines: [String], _ exit: EngineExit?
    ) -> FailureReport {
        var kept: [String] = []
        let room = exit == nil ? Self.evidenceLimit : Self.evidenceLimit - 1
        for line in lines where kept.count < room {
            let line = Self.clip(line, Self.evidenceLineLimit)
            if !kept.contains(line) { kept.append(line) }
        }
        if let exit { kept.append(Self.describe(exit)) }
        return FailureReport(
            failure, message: Self.clip(message, Self.messageLimit), process: process, evidence: kept)
    }

    private func others(than cause: TracebackReader.Found) -> [TracebackReader.Found] {
        evidence.exceptions.filter { $0.exception != cause.exception }
    }
}

// MARK: - Words

extension FailureClassifier {
    /// All that signatures are looked for in.
    static func text(_ found: TracebackReader.Found) -> String {
        "\(found.exception.type): \(found.exception.message)\n\(found.detail)"
    }

    /// One line. Where the exception's own line only counts the errors, the first of them follows.
    static func sentence(_ found: TracebackReader.Found) -> String {
        let exception = found.exception
        var sentence = exception.message.isEmpty ? exception.type : "\(exception.type): \(exception.message)"
        if exception.saysNothing, let first = found.detail.split(separator: "\n").first {
            sentence += ": \(trimmed(first))"
        }
        return sentence
    }

    static func describe(_ exit: EngineExit) -> String {
        switch exit {
        case .exited(let code): "exit status \(code)"
        case .signalled(let signal, let dumped): "ended by \(name(ofSignal: signal))\(dumped ? ", core dumped" : "")"
        }
    }

    private static func name(ofSignal signal: Int32) -> String {
        switch signal {
        case 1: "SIGHUP"
        case 2: "SIGINT"
        case 3: "SIGQUIT"
        case 4: "SIGILL"
        case 6: "SIGABRT"
        case 7: "SIGBUS"
        case 8: "SIGFPE"
        case 9: "SIGKILL"
        case 11: "SIGSEGV"
        case 15: "SIGTERM"
        default: "signal \(signal)"
        }
    }

    static func trimmed(_ text: Substring) -> Substring {
        var text = text
        while text.first == " " { text.removeFirst() }
        while text.last == " " { text.removeLast() }
        return text
    }

    private static func clip(_ text: String, _ limit: Int) -> String {
        guard text.utf8.count > limit else { return text }
        let bytes = Array(text.utf8)
        return bytes.span.text(0..<bytes.count, limit: limit)
    }
}

extension LogException {
    /// pydantic's `1 validation error for ModelConfig`: the error itself is on the next line.
    var saysNothing: Bool {
        message.isEmpty || message.hasSuffix(":")
            || (type.hasSuffix("ValidationError") && message.contains(" validation error"))
    }
}
