internal import AgentCore
internal import Locking

/// Reads the engine's log and understands it, from before the exec to the end. `run` is the only reader.
final class EngineLogPump: Sendable {
    private struct Ending: Sendable {
        var exit: EngineExit?
    }

    private let log: any EngineLogFollower
    private let meter: LogMeter
    private let ending = Mutex<Ending?>(nil)

    init(_ log: any EngineLogFollower, meter: LogMeter) {
        self.log = log
        self.meter = meter
    }

    /// Ends when the log has been read to its end after `explain`, with a verdict; or when the task is cancelled.
    func run(_ inbox: Inbox) async {
        var reader = EngineLogReader()
        var seen = SeenFacts()
        while let chunk = await log.next() {
            meter.add(chunk.count)
            for fact in reader.feed(chunk) where seen.isNews(fact) { inbox.send(.logFact(fact)) }
        }
        guard let ending = ending.withLock({ $0 }) else { return }
        inbox.send(.failureExplained(reader.explain(ending.exit)))
    }

    /// Reads to the end of the log as it is now; then `run` sends the verdict. The first call counts.
    func explain(_ exit: EngineExit?) {
        ending.withLock { $0 = $0 ?? Ending(exit: exit) }
        log.finish()
    }
}
