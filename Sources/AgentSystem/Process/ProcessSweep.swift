internal import Dispatch
internal import Glibc
internal import Locking

/// Follows a group of processes until none is left, and ends them when told to.
///
/// One look lists the members, watches each one's pidfd, and every death brings the next look: no timer, no polling.
/// A process that was forked behind a look's back is found by the look that its parent's death brings.
actor ProcessSweep {
    private let executor: QueueExecutor
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    private let members: @Sendable () -> [ProcessStat]
    /// Left by every watch once its descriptor is free.
    private let open: DispatchGroup
    private let emptied: @Sendable ([Int32]) -> Void
    private var watches: [ProcessIdentity: ExitWatch] = [:]
    private var isKilling = false
    private var killed: Set<Int32> = []
    private var mayFinish = false
    private var isLookPlanned = false
    private var isOver = false

    /// Calls `emptied` once, on the executor, with the pids that were killed.
    init(
        on executor: QueueExecutor, open: DispatchGroup, members: @escaping @Sendable () -> [ProcessStat],
        emptied: @escaping @Sendable ([Int32]) -> Void
    ) {
        self.executor = executor
        self.open = open
        self.members = members
        self.emptied = emptied
    }

    /// From now on every member found is killed.
    func kill() {
        isKilling = true
        for watch in watches.values { killOne(watch.handle) }
        look()
    }

    /// From now on an empty look is the last. Not before the process that starts the others has ended.
    func finishWhenEmpty() {
        mayFinish = true
        look()
    }

    private func look() {
        isLookPlanned = false
        guard !isOver else { return }
        // Two empty looks: reading /proc is not one instant, and a child may have got a pid the first had passed.
        guard !findsLiving(), !findsLiving(), mayFinish else { return }
        isOver = true
        let pids = killed.sorted()
        open.notify(queue: executor.queue) { [emptied] in emptied(pids) }
    }

    private func findsLiving() -> Bool {
        for process in members() where watches[process.identity] == nil {
            switch ProcessHandle.open(process.identity) {
            case .gone:
                continue
            case .opened(let handle):
                meet(handle, process.identity)
            case .failed:
                // Out of descriptors: nothing will wake us.
                planLook(after: .milliseconds(100))
                return true
            }
        }
        return !watches.isEmpty
    }

    private func meet(_ handle: ProcessHandle, _ identity: ProcessIdentity) {
        if handle.hasEnded {
            // An orphan that came to us is ours to reap; anybody else's answers "no child" and is left alone.
            _ = handle.exit(reap: true)
            return
        }
        // Another user's process (a setuid program) cannot be killed by us; waiting for it could last for ever.
        if isKilling, !killOne(handle), !handle.hasEnded { return }
        watches[identity] = ExitWatch(handle, on: executor.queue, open: open) { [weak self] in
            self?.assumeIsolated { $0.ended(identity) }
        }
    }

    @discardableResult
    private func killOne(_ handle: ProcessHandle) -> Bool {
        guard handle.send(SIGKILL) else { return false }
        killed.insert(handle.pid)
        return true
    }

    private func ended(_ identity: ProcessIdentity) {
        if let watch = watches.removeValue(forKey: identity) {
            _ = watch.handle.exit(reap: true)
        }
        // Behind the other deaths that wait on the queue already: one look for all of them.
        planLook(after: .nanoseconds(0))
    }

    private func planLook(after delay: DispatchTimeInterval) {
        if isLookPlanned { return }
        isLookPlanned = true
        executor.queue.asyncAfter(deadline: .now() + delay) { [weak self] in
            self?.assumeIsolated { $0.look() }
        }
    }
}
