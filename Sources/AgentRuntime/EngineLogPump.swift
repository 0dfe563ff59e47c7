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
    private let memory = Mutex<String?>(nil)

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
        inbox.send(.failureExplained(judged(reader.explain(ending.exit))))
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
