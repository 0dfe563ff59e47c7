internal import AgentCore
internal import AgentWire
internal import Locking

internal import struct Synchronization.Atomic

/// Keeps on disk how far the log has been understood, for the agent after this one.
///
/// At most once a pause, however fast the log grows. Not synced: an engine and its log are worth nothing to resume after
/// a reboot, and what the kernel has taken survives the agent's own death.
actor LogCheckpointKeeper {
    // Writing waits for the disk.
    private let executor = QueueExecutor(label: "io.crosslogic.log-checkpoint")
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    private let path: String
    private let files: any FileStore
    private let log: any OperatorLog
    private let pause: Duration
    private let count = Atomic<Int64>(0)
    private let changed = Signal()
    private var saved: LogCheckpoint?
    private var trouble = Trouble()

    init(_ path: String, files: any FileStore, log: any OperatorLog, pause: Duration = .seconds(1)) {
        self.path = path
        self.files = files
        self.log = log
        self.pause = pause
    }

    /// What the agent before has left of this execution of the engine; nil where there is nothing, or nothing to trust.
    func load() -> LogCheckpoint? {
        guard let bytes = try? files.read(path, limit: LogCheckpointCodec.maximumBytes) else { return nil }
        return LogCheckpointCodec.decode(bytes)
    }

    /// An engine is gone, or about to be started: what an earlier one wrote is of no use to the next one.
    func forget() {
        try? files.remove(path)
        saved = nil
        count.store(0, ordering: .relaxed)
    }

    /// So many of the bytes that the follower gave out belong to complete lines, and those are understood.
    nonisolated func understood(_ count: Int64) {
        self.count.store(count, ordering: .relaxed)
        changed.raise()
    }

    /// Saves now and then, until the task is cancelled.
    func run(_ follower: any EngineLogFollower) async {
        while !Task.isCancelled {
            await changed.wait()
            if Task.isCancelled { return }
            await save(follower)
            // Cancellation ends the sleep; the loop then ends by itself.
            try? await Task.sleep(for: pause)
        }
    }

    /// Where nothing can be written the log is followed nevertheless, and the next pause tries again.
    func save(_ follower: any EngineLogFollower) async {
        let checkpoint = await follower.checkpoint(behind: count.load(ordering: .relaxed))
        guard let checkpoint, checkpoint != saved else { return }
        do throws(FileFailure) {
            try files.writeForThisBoot(LogCheckpointCodec.encode(checkpoint), to: path, mode: 0o600)
            saved = checkpoint
            if trouble.end() { log.write(.notice, "how far the engine's log was read is saved again") }
        } catch {
            guard trouble.begin() else { return }
            log.write(.warning, "how far the engine's log was read is not saved: \(error.message); trying again")
        }
    }
}
