internal import AgentCore
internal import AgentWire
internal import Locking

/// `RUNTIME_DIR/handover.json`: always what a successor needs to go on with the engine that runs.
///
/// The run loop keeps the newest in memory, before it tells anybody what has changed; `settle` brings it to the file.
/// Events are stored first, then the file is settled, and only then are they delivered. So what a successor finds
/// delivered is in the file, and what the file lacks is in an event it finds stored (`settled(with:)`).
final class HandoverFile: Sendable {
    private struct State {
        var handover: Handover?
        var logStart: Int64 = 0
        /// Counts changes; the file is at `written`.
        var version = 0
        var written = 0
    }

    private let path: String
    private let files: any FileStore
    private let log: any OperatorLog
    private let state = Mutex(State())
    private let disk: Disk

    init(folder: String, files: any FileStore, log: any OperatorLog) {
        path = "\(folder)/handover.json"
        self.files = files
        self.log = log
        disk = Disk()
    }

    /// nil: there is nothing to take over.
    func keep(_ handover: Handover?) {
        state.withLock { state in
            guard handover != state.handover else { return }
            state.handover = handover
            state.version += 1
        }
    }

    /// The engine that is about to be started writes from here on.
    func logBegins(at offset: Int64) {
        state.withLock { state in
            state.logStart = offset
            state.version += 1
        }
    }

    func settle() async {
        await disk.run { self.write() }
    }

    /// What an earlier agent left.
    func load() async -> (handover: Handover, logStart: Int64)? {
        await disk.run {
            guard let bytes = try? self.files.read(self.path, limit: HandoverCodec.maximumBytes),
                let found = HandoverCodec.parse(bytes)
            else { return nil }
            self.state.withLock { $0.logStart = found.logStart }
            return found
        }
    }

    /// The file of an earlier agent is of no use any more.
    func forget() async {
        await disk.run { self.remove() }
    }

    private func write() {
        let (version, handover, logStart) = state.withLock { ($0.version, $0.handover, $0.logStart) }
        guard state.withLock({ $0.written }) < version else { return }
        if let handover {
            do throws(FileFailure) {
                try files.writeForThisBoot(HandoverCodec.render(handover, logStart: logStart), to: path, mode: 0o600)
            } catch {
                log.write(.warning, "an agent after this one could not go on with the engine: \(error.message)")
            }
        } else {
            remove()
        }
        state.withLock { $0.written = max($0.written, version) }
    }

    private func remove() {
        do throws(FileFailure) {
            try files.remove(path)
        } catch {
            log.write(.warning, error.message)
        }
    }
}

/// Waits for disks on a queue of its own.
private actor Disk {
    nonisolated let executor = QueueExecutor(label: "io.crosslogic.handover")
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    func run<Result: Sendable>(_ work: @Sendable () -> Result) -> Result { work() }
}

extension Handover {
    /// With what an event that is still to be delivered says of the same start; nil where such an event says that the
    /// engine failed or was to go.
    func completed(by pending: [OutboxEvent]) -> Handover? {
        let reports = pending.compactMap { ReportedStart(event: $0.body) }.filter { isSameStart(as: $0) }
        if reports.contains(where: { ["failed", "draining", "stopped", "revoked"].contains($0.kind) }) { return nil }
        var completed = self
        for mark in reports.last?.timeline.marks ?? [] {
            completed.timeline.record(mark.phase, at: mark.at, source: mark.source)
        }
        return completed
    }

    /// Two starts of one generation differ in when they were prepared; events round to less than a microsecond.
    private func isSameStart(as report: ReportedStart) -> Bool {
        guard report.generation == assignment.generation, let ours = timeline[.preflightDone],
            let theirs = report.timeline[.preflightDone]
        else { return false }
        return abs(ours.nanoseconds - theirs.nanoseconds) < 1000
    }
}
