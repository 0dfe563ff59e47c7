internal import AgentCore
internal import Locking

/// Reads the engine's log and understands it, from before the exec to the verdict. `run` is the only reader.
final class EngineLogPump: Sendable {
    private struct Question: Sendable {
        var exit: EngineExit?
    }

    private let log: any EngineLogFollower
    private let question = Mutex<Question?>(nil)

    init(_ log: any EngineLogFollower) {
        self.log = log
    }

    /// Ends when the task is cancelled, or with a verdict when one was asked for.
    func run(_ inbox: Inbox) async {
        var reader = EngineLogReader()
        var seen = SeenFacts()
        while let chunk = await log.next() {
            for fact in reader.feed(chunk) where seen.isNews(fact) { inbox.send(.logFact(fact)) }
        }
        guard let question = question.withLock({ $0 }) else { return }
        inbox.send(.failureExplained(reader.explain(question.exit)))
    }

    var isExplaining: Bool { question.withLock { $0 != nil } }

    /// Reads to the end of the log as it is now; then `run` sends the verdict.
    func explain(_ exit: EngineExit?) {
        question.withLock { $0 = Question(exit: exit) }
        log.finish()
    }
}

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
