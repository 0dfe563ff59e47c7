/// Facts of lines that have no time of their own, in a log where others have: progress bars, uvicorn, tracebacks.
///
/// They happened between the line before and the next one that has a time. A bar tells how long it has been running,
/// which places the end of the weights within that stretch; everything else is given the time before.
struct UntimedFacts: Sendable {
    struct Waiting {
        var fact: LogFact
        /// Since the weights, or the load, began.
        var elapsed: Double?
        /// Exceptions and deaths known when the line was read.
        var troubles: Int
    }

    private var waiting: [Waiting] = []
    static let limit = 256

    var isEmpty: Bool { waiting.isEmpty }
    /// One of them is placed by the very next time in the log.
    var needsNextTime: Bool { waiting.contains { $0.elapsed != nil } }
    var isFull: Bool { waiting.count >= Self.limit }

    mutating func add(_ fact: LogFact, line: Span<UInt8>, troubles: Int) {
        let elapsed: Double? =
            switch fact {
            case .weightsProgress(let done, let total, _) where done == total: Self.elapsed(line)
            case .streamed(_, let seconds, _): seconds
            case .modelLoaded(_, let seconds): seconds
            default: nil
            }
        waiting.append(Waiting(fact: fact, elapsed: elapsed, troubles: troubles))
    }

    mutating func removeAll() -> [Waiting] {
        defer { waiting = [] }
        return waiting
    }

    /// `[00:18<00:00, 38.70it/s]` of the last bar in the line, in seconds.
    static func elapsed(_ line: Span<UInt8>) -> Double? {
        var found: Double?
        var from = 0
        while let bracket = line.firstIndex(of: UInt8(ascii: "["), from: from) {
            from = bracket + 1
            var at = from
            var seconds = 0
            while let part = line.integer(at: &at), part < 100_000 {
                seconds = seconds * 60 + part
                guard line.byte(at) == UInt8(ascii: ":") else { break }
                at += 1
            }
            if at > from, line.byte(at) == UInt8(ascii: "<") { found = Double(seconds) }
        }
        return found
    }
}

extension StartTimeline {
    /// Where a fact belongs that came between `lower` and `upper`.
    func place(_ fact: UntimedFacts.Waiting, _ lower: BootInstant, _ upper: BootInstant?) -> BootInstant {
        guard let elapsed = fact.elapsed, (0...1e6).contains(elapsed), let began = began(of: fact.fact) else {
            return lower
        }
        let end = began + .nanoseconds(Int64(elapsed * 1e9))
        return max(lower, min(end, upper ?? end))
    }

    private func began(of fact: LogFact) -> BootInstant? {
        if case .modelLoaded = fact { return first(.loadStarted)?.at }
        return (first(.modelMade) ?? first(.weightsMoving) ?? first(.loadStarted))?.at
    }
}
