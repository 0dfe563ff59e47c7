internal import AgentCore
internal import Locking

/// Reads the engine's log and understands it, from before the exec to the end. `run` is the only reader.
final class EngineLogPump: Sendable {
    private struct Ending: Sendable {
        var exit: EngineExit?
    }

    private static let catchesUpWithin = 1000

    private let log: any EngineLogFollower
    private let meter: LogMeter
    private let keeper: LogCheckpointKeeper?
    private let ending = Mutex<Ending?>(nil)
    private let memory = Mutex<String?>(nil)
    /// Bytes of the log, not of its replay, of which every fact was told.
    private let told = Mutex<Int64>(0)

    /// Without a keeper nothing is saved: for an engine that does not outlive the agent.
    init(_ log: any EngineLogFollower, meter: LogMeter = LogMeter(), keeper: LogCheckpointKeeper? = nil) {
        self.log = log
        self.meter = meter
        self.keeper = keeper
    }

    /// Ends when the log has been read to its end after `explain`, with a verdict; or when the task is cancelled.
    func run(_ inbox: Inbox) async {
        await withDiscardingTaskGroup { group in
            if let keeper { group.addTask { [log] in await keeper.run(log) } }
            await read(inbox)
            group.cancelAll()
        }
        await keeper?.save(log)
    }

    private func read(_ inbox: Inbox) async {
        var reader = EngineLogReader()
        var seen = SeenFacts()
        // For whoever has to know again what the agent before knew; a phase that is in the timeline is not told twice.
        while let chunk = await log.replay() {
            for fact in reader.feed(chunk) where seen.isNews(fact) { inbox.send(.logFact(fact)) }
        }
        var count: Int64 = 0
        while let chunk = await log.next() {
            meter.add(chunk.count)
            for fact in reader.feed(chunk) where seen.isNews(fact) { inbox.send(.logFact(fact)) }
            // A bar may stand for minutes as it is now.
            if let fact = reader.unfinishedProgress(), seen.isNews(fact) { inbox.send(.logFact(fact)) }
            count += Int64(chunk.count)
            told.withLock { $0 = count }
            keeper?.understood(count - Int64(reader.unfinishedBytes))
        }
        guard let ending = ending.withLock({ $0 }) else { return }
        inbox.send(.failureExplained(judged(reader.explain(ending.exit))))
    }

    /// Returns when everything that is in the log by now was told, or after about a second: what an engine said before it
    /// answered is to be known before its answer is. An agent that takes over finds both there at once.
    func catchUp() async {
        for _ in 1...Self.catchesUpWithin {
            if await log.isAtEnd(behind: told.withLock({ $0 })) { return }
            guard (try? await Task.sleep(for: .milliseconds(1))) != nil else { return }
        }
    }

    /// What the kernel has done is not in the log.
    func blame(_ event: EngineHostEvent) {
        guard case .ranOutOfMemory(let peak) = event else { return }
        let used = peak.map { " when it used \($0 >> 20) MiB" } ?? ""
        memory.withLock { $0 = "the kernel killed the engine\(used): out of memory (systemd: oom-kill)" }
    }

    private func judged(_ report: FailureReport) -> FailureReport {
        guard let message = memory.withLock({ $0 }) else { return report }
        let evidence = Array((report.evidence + [report.message]).filter { !$0.isEmpty }.suffix(8))
        return FailureReport(.hostOutOfMemory, message: message, process: "kernel", evidence: evidence)
    }

    /// Reads to the end of the log as it is now; then `run` sends the verdict. The first call counts.
    func explain(_ exit: EngineExit?) {
        ending.withLock { $0 = $0 ?? Ending(exit: exit) }
        log.finish()
    }
}
