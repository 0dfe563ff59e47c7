internal import AgentCore

/// Lets through what the machine has not heard: a log that repeats itself a million times makes one event.
struct SeenFacts {
    private var kinds: Set<String> = []
    private var percents: [String: Int] = [:]

    mutating func isNews(_ fact: LogFact) -> Bool {
        switch fact {
        case .weightsProgress(let done, let total, _), .graphCaptureProgress(let done, let total):
            let percent = total > 0 ? Int(Double(done) / Double(total) * 100) : 0
            return percents.updateValue(percent, forKey: fact.kind) != percent
        case .exception:
            // Kept by the reader for its verdict; the machine does not act on text.
            return false
        default:
            return kinds.insert(fact.kind).inserted
        }
    }
}
