internal import AgentCore
internal import Synchronization

/// Reads the engine's log and understands it. One reader at a time: the follower as lines come, and the verdict
/// when the engine has ended, both through the same lock so that no line is taken out of order.
final class EngineLogPump: Sendable {
    private struct State {
        var reader = EngineLogReader()
        var seen = SeenFacts()
    }

    private let log: any EngineLogFollower
    private let state = Mutex(State())

    init(_ log: any EngineLogFollower) {
        self.log = log
    }

    func run(_ inbox: Inbox) async {
        repeat {
            for fact in pump() { inbox.send(.logFact(fact)) }
        } while await log.waitForMore()
    }

    /// Reads to the end of the file, then judges.
    func explain(_ exit: EngineExit?) -> FailureReport {
        _ = pump()
        return state.withLock { $0.reader.explain(exit) }
    }

    private func pump() -> [LogFact] {
        state.withLock { state in
            var facts: [LogFact] = []
            // Regular files answer at once, so that reading under the lock does not hold anybody up for long.
            while let chunk = log.read() {
                facts += state.reader.feed(chunk).filter { state.seen.isNews($0) }
            }
            return facts
        }
    }
}

/// Lets through what the machine has not heard: a log that repeats itself a million times makes one event.
struct SeenFacts {
    private var kinds: Set<String> = []
    private var percent = -1

    mutating func isNews(_ fact: LogFact) -> Bool {
        switch fact {
        case .weightsProgress(let done, let total):
            let now = total > 0 ? done * 100 / total : 0
            defer { percent = now }
            return now != percent
        case .exception:
            // Kept by the reader for its verdict; the machine does not act on text.
            return false
        default:
            return kinds.insert(fact.kind).inserted
        }
    }
}
