internal import AgentCore
internal import AgentWire
internal import Locking

/// `RUNTIME_DIR/handover.json`: always what a successor needs to go on with the engine that runs.
///
/// The outbox keeps the newest in memory, together with the events that go with it; it freezes it when all of those are
/// stored, settles it, and only then delivers them. So no event is missing that the file counts as told, what was
/// delivered is in the file, and what the file lacks is in an event that a successor finds stored (`completed(by:)`).
final class HandoverFile: Sendable {
    private struct State {
        var handover: Handover?
        var origin: LogCheckpoint?
        /// Counts changes.
        var version = 0
        var frozen: (version: Int, content: [UInt8]?) = (0, nil)
        /// The version in the file.
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

    /// nil: there is nothing to take over. Answers whether that is news.
    func keep(_ handover: Handover?) -> Bool {
        state.withLock { state in
            guard handover != state.handover else { return false }
            state.handover = handover
            state.version += 1
            return true
        }
    }

    /// What is kept now may be written.
    func freeze() {
        state.withLock { state in
            guard state.frozen.version < state.version else { return }
            let (handover, origin) = (state.handover, state.origin)
            state.frozen = (state.version, handover.map { HandoverCodec.render($0, origin: origin) })
        }
    }

    /// The engine that is about to be started writes from here on.
    func logBegins(at origin: LogCheckpoint?) {
        state.withLock { state in
            state.origin = origin
            state.version += 1
        }
    }

    func settle() async {
        // Mostly there is nothing to write, and every event is held up for as long as this takes.
        guard state.withLock({ $0.written < $0.frozen.version }) else { return }
        await disk.run { self.write() }
    }

    /// What an earlier agent left.
    func load() async -> (handover: Handover, log: LogStart)? {
        await disk.run {
            guard let bytes = try? self.files.read(self.path, limit: HandoverCodec.maximumBytes),
                let found = HandoverCodec.parse(bytes)
            else { return nil }
            if case .checkpoint(let origin) = found.log { self.state.withLock { $0.origin = origin } }
            return found
        }
    }

    /// The file of an earlier agent is of no use any more.
    func forget() async {
        await disk.run { self.remove() }
    }

    private func write() {
        let (frozen, written) = state.withLock { ($0.frozen, $0.written) }
        guard written < frozen.version else { return }
        if let content = frozen.content {
            do throws(FileFailure) {
                try files.writeForThisBoot(content, to: path, mode: 0o600)
            } catch {
                log.write(.warning, "an agent after this one could not go on with the engine: \(error.message)")
            }
        } else {
            remove()
        }
        state.withLock { $0.written = max($0.written, frozen.version) }
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
