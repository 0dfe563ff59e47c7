internal import AgentCore

/// Lets through what the machine has not heard: a log that repeats itself a million times makes one event.
struct SeenFacts {
    private static let launcherLinesAtMost = 16
    private var kinds: Set<String> = []
    // Of their own, because bars are redrawn by the million and a kind is text.
    private var launcherLines = 0
    private var weights: Int?
    private var graphs: Int?

    mutating func isNews(_ fact: LogFact) -> Bool {
        switch fact {
        case .weightsProgress(let done, let total, _):
            Self.moves(&weights, done, total)
        case .graphCaptureProgress(let done, let total):
            Self.moves(&graphs, done, total)
        case .launcher:
            // A start that turns out to be another kind of start, and each process that could not be forked.
            Self.isEarly(&launcherLines)
        case .exception:
            // Kept by the reader for its verdict; the machine does not act on text.
            false
        default:
            kinds.insert(fact.kind).inserted
        }
    }

    private static func isEarly(_ lines: inout Int) -> Bool {
        lines += 1
        return lines <= launcherLinesAtMost
    }

    /// Whether the bar stands at another percent than before.
    private static func moves(_ seen: inout Int?, _ done: Int, _ total: Int) -> Bool {
        let percent = total > 0 ? Int(Double(done) / Double(total) * 100) : 0
        defer { seen = percent }
        return percent != seen
    }
}
