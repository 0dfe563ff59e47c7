internal import Dispatch
internal import Locking

/// Ends what an earlier agent's engine left behind.
actor LeftoverRemoval {
    private let executor: QueueExecutor
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    private let record: EngineRecordFile
    private var sweep: ProcessSweep?
    private var waiter: CheckedContinuation<[Int32], Never>?

    init(on executor: QueueExecutor, record: EngineRecordFile) {
        self.executor = executor
        self.record = record
    }

    /// Returns the pids that were killed, once they are gone; nothing when the task is cancelled before that.
    /// A process that hangs in a driver cannot be ended by anybody, so whoever waits should set a limit.
    func run() async -> [Int32] {
        if Task.isCancelled { return [] }
        return await withTaskCancellationHandler {
            await withCheckedContinuation { begin($0) }
        } onCancel: {
            executor.queue.async { self.assumeIsolated { $0.cancel() } }
        }
    }

    private func begin(_ continuation: CheckedContinuation<[Int32], Never>) {
        guard let record = record.load() else {
            continuation.resume(returning: [])
            return
        }
        guard let session = record.survivingSession(bootID: ProcessTable.bootID(), stat: ProcessTable.stat) else {
            self.record.clear()
            continuation.resume(returning: [])
            return
        }
        waiter = continuation
        let sweep = ProcessSweep(
            on: executor, open: DispatchGroup(), members: { session.members(of: ProcessTable.all()) },
            emptied: { [weak self] pids in self?.assumeIsolated { $0.finish(pids) } })
        self.sweep = sweep
        sweep.assumeIsolated {
            $0.kill()
            $0.finishWhenEmpty()
        }
    }

    private func finish(_ pids: [Int32]) {
        record.clear()
        sweep = nil
        waiter?.resume(returning: pids)
        waiter = nil
    }

    /// Runs behind `begin`, which the executor is already in when this is called.
    private func cancel() {
        sweep = nil
        waiter?.resume(returning: [])
        waiter = nil
    }
}
