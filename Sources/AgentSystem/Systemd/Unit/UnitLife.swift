internal import AgentCore
internal import Dispatch
internal import Glibc
internal import Locking

/// One execution of the engine's unit, from its start or its adoption until its last process is gone.
actor UnitLife {
    /// From the main process's end to its record. PID 1 kills the workers in between, which can hang in a driver.
    private static let recordPatience = DispatchTimeInterval.seconds(2)

    /// systemd's exit code, and that of `exec-engine`, for a program that could not be executed.
    private static let notExecuted: Int32 = 203

    private let executor: QueueExecutor
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    private let clocks: any Clocks
    private let door: EngineDoor
    private let manager: SystemdManager
    nonisolated let place: EnginePlace
    private let events: AsyncStream<EngineHostEvent>.Continuation
    /// Called before the last event, so that whoever hears it may start the next engine.
    private let over: @Sendable (UnitLife) -> Void

    private let open = DispatchGroup()
    private var invocation = ""
    private var mainPID: Int32?
    private var mainWatch: ExitWatch?
    private var changes: UnitChanges?
    private var workers: MemberWatches?
    private var endedAt: BootInstant?
    private var mainExit: MainExit?
    private var isExitTold = false
    private var isOver = false

    /// nil until the unit runs. Behind a lock for readers outside of the actor.
    nonisolated let group = Mutex<ControlGroup?>(nil)
    nonisolated let execution = Mutex<String?>(nil)
    /// What was asked of the unit while it may not have been there yet.
    nonisolated let ordered = Mutex<EngineDoor.UnitVerb?>(nil)

    init(
        on executor: QueueExecutor, clocks: any Clocks, door: EngineDoor, manager: SystemdManager,
        place: EnginePlace, events: AsyncStream<EngineHostEvent>.Continuation,
        over: @escaping @Sendable (UnitLife) -> Void
    ) {
        self.executor = executor
        self.clocks = clocks
        self.door = door
        self.manager = manager
        self.place = place
        self.events = events
        self.over = over
    }

    /// `waits`: the unit runs and is an engine that waits for its go.
    func start(waits: Bool = false) {
        let asked = clocks.now()
        if waits, case .success(let answer) = door.askHere(.go, place), answer.isDone {
            let status = UnitStatus(answer.lines)
            // An agent that comes after this one must not take it for older than its assignment.
            ExecutionRecord(invocation: status.invocation, at: asked).save()
            execution.withLock { $0 = status.invocation }
            events.yield(.started(pid: status.mainPID ?? 0, at: asked))
            follow(status)
            return
        }
        execute(waits ? .restart : .start)
    }

    private func execute(_ verb: EngineDoor.UnitVerb) {
        // An agent that is killed before the answer leaves its successor a unit without a name.
        ExecutionRecord(startingAt: place, clocks.now()).save()
        let answer: EngineDoor.Answer
        switch door.askHere(verb, place) {
        case .success(let given): answer = given
        case .failure(let error):
            finish([.startFailed(Self.closed(error), at: clocks.now())])
            return
        }
        let status = UnitStatus(answer.lines)
        guard answer.isDone || status.isThere else {
            finish([.startFailed(refused(status), at: clocks.now())])
            return
        }
        ExecutionRecord(invocation: status.invocation, at: status.startedAt).save()
        execution.withLock { $0 = status.invocation }
        events.yield(.started(pid: status.mainPID ?? 0, at: status.startedAt))
        follow(status)
        // Asked before PID 1 had the start in its queue, it came to nothing.
        if let verb = ordered.withLock({ $0 }) { order(verb) }
    }

    /// The unit as it was found; it may be ending, or have ended.
    func follow(_ status: UnitStatus) {
        invocation = status.invocation
        mainPID = status.mainPID
        let group = ControlGroup(name: status.controlGroup)
        self.group.withLock { $0 = group }
        execution.withLock { [invocation] in $0 = invocation }
        changes = try? UnitChanges(group, records: ExitRecord.folder, queue: executor.queue) { [weak self] in
            self?.assumeIsolated { $0.unitChanged() }
        }
        manager.connect()
        guard let pid = status.mainPID, case .opened(let main) = ProcessHandle.open(pid: pid) else {
            mainEnded()
            return
        }
        mainWatch = ExitWatch(main, on: executor.queue, open: open) { [weak self] in
            self?.assumeIsolated { $0.mainEnded() }
        }
    }

    private func mainEnded() {
        mainWatch = nil
        endedAt = clocks.now()
        unitChanged()
        executor.queue.asyncAfter(deadline: .now() + Self.recordPatience) { [weak self] in
            self?.assumeIsolated { $0.look(isPatient: false) }
        }
    }

    private func unitChanged() {
        look()
        guard endedAt != nil, !isExitTold else { return }
        // Its record comes from a program that PID 1 has to start first: ten and more milliseconds, in which the kernel
        // moves a process into a cgroup.
        manager.askForMainExit(of: place) { [weak self, queue = executor.queue] exit in
            queue.async { [weak self] in self?.assumeIsolated { $0.heard(exit) } }
        }
    }

    private func heard(_ exit: MainExit) {
        guard exit.pid == mainPID else { return }
        mainExit = exit
        look()
    }

    private func look(isPatient: Bool = true) {
        guard let endedAt, !isOver else { return }
        let record = ExitRecord.load(place).flatMap { $0.invocation == invocation ? $0 : nil }
        let end = record?.exit ?? exitOfNothingLeft
        if end == .exited(code: Self.notExecuted) {
            finish([.startFailed(unexecutable, at: endedAt)])
            return
        }
        guard end != nil || isExitTold || !isPatient else { return }
        let news = isExitTold ? [] : news(of: end, record, at: endedAt)
        isExitTold = true
        // PID 1 writes the record when nothing is left but what cannot be killed.
        if exitOfNothingLeft != nil || record?.left == 0 || group.withLock({ $0?.isEmpty ?? true }) {
            finish(news + [.gone(at: clocks.now())])
        } else {
            for event in news { events.yield(event) }
        }
    }

    /// What PID 1 said of the end, once nothing of the engine is left.
    private var exitOfNothingLeft: EngineExit? {
        guard let mainExit, mainExit.isFinal, group.withLock({ $0?.isEmpty(but: mainExit.controlPID) ?? true })
        else { return nil }
        return mainExit.exit
    }

    private func news(of end: EngineExit?, _ record: ExitRecord?, at endedAt: BootInstant) -> [EngineHostEvent] {
        let told = end == nil ? statusOfThis() : nil
        let isOutOfMemory = (record?.result ?? told?.result) == "oom-kill"
        return (isOutOfMemory ? [.ranOutOfMemory(peak: record?.memoryPeak)] : [])
            // Without either how it ended is lost; that it ended is not.
            + [.exited(end ?? told?.exit ?? .exited(code: -1), at: endedAt)]
    }

    /// For an exit of which there is no record: where the kernel kills processes of the unit one after the other, PID 1
    /// kills the one that writes it, too.
    private func statusOfThis() -> UnitStatus? {
        guard case .success(let answer) = door.askHere(.status, place), answer.isDone else { return nil }
        let status = UnitStatus(answer.lines)
        return status.invocation == invocation ? status : nil
    }

    private func finish(_ last: [EngineHostEvent]) {
        isOver = true
        changes = nil
        workers?.stop()
        workers = nil
        group.withLock { $0 = nil }
        over(self)
        for event in last { events.yield(event) }
        events.finish()
    }

    /// From now on the end of each of these is told.
    func watch(_ processes: [(ProcessIdentity, EngineProcess)]) {
        guard !isOver, let group = group.withLock({ $0 }) else { return }
        let watches =
            workers
            ?? MemberWatches(on: executor.queue, open: open) { [weak self] process in
                self?.assumeIsolated { $0.workerEnded(process) }
            }
        workers = watches
        for (identity, process) in processes {
            watches.watch(identity, process, open: { Self.open($0, in: group) }) { [weak self] identity in
                self?.assumeIsolated { $0.workers?.end(identity) }
            }
        }
    }

    /// What follows the main process's end is PID 1's doing, and tells nothing.
    private func workerEnded(_ process: EngineProcess) {
        if endedAt == nil { events.yield(.processEnded(process, at: clocks.now())) }
    }

    /// Start times of other users' processes cannot be seen; what the pidfd holds is the engine's, or its pid would
    /// not be in the group.
    private static func open(_ identity: ProcessIdentity, in group: ControlGroup) -> ProcessHandle.Opening {
        let opening = ProcessHandle.open(pid: identity.pid)
        return group.contains(identity.pid) ? opening : .gone
    }

    /// Asks the door for something that needs no answer: what it leads to is seen at the unit itself.
    func order(_ verb: EngineDoor.UnitVerb) {
        guard !isOver else { return }
        _ = door.askHere(verb, place)
    }

    private var unexecutable: EngineStartFailure {
        EngineStartFailure(
            .engineMissing,
            "\(place.unit) could not execute vllm: the last line of its log says why; most often the user vllm "
                + "may not enter a folder of its path, or of its Python's")
    }

    private static func closed(_ error: SystemError) -> EngineStartFailure {
        EngineStartFailure(
            .unknown,
            "cannot ask systemd for the engine: \(EngineDoor.standardPath): \(error.reason); "
                + "look at `systemctl status crosslogic-enginectl.socket`")
    }

    private func refused(_ status: UnitStatus) -> EngineStartFailure {
        EngineStartFailure(
            .unknown,
            "systemd could not start \(place.unit) (\(status.result)); look at `systemctl status \(place.unit)`")
    }
}
