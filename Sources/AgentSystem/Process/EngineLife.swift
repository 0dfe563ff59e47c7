internal import AgentCore
internal import Dispatch
internal import Glibc
internal import Locking

/// One engine, from its execution until its last process is gone.
actor EngineLife {
    private let executor: QueueExecutor
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    private let clocks: any Clocks
    private var record: EngineRecordFile
    private let sockets: EngineSocketFolder
    /// nil while the engine waits, and nobody has asked for it.
    private var events: AsyncStream<EngineHostEvent>.Continuation?
    /// Called before the last event, so that whoever hears it may start the next engine.
    private let over: @Sendable (EngineLife) -> Void
    /// Sessions of the host's other engines.
    private let strangers: @Sendable (EngineLife) -> Set<Int32>

    /// The pidfd of the main process and those of its workers, until each is closed.
    private let open = DispatchGroup()
    private var main: ProcessHandle?
    private var mainWatch: ExitWatch?
    private var sweep: ProcessSweep?
    private var workers: MemberWatches?

    /// Which processes belong to the engine, once it runs. Behind a lock for readers outside of the actor.
    nonisolated let membership = Mutex<EngineMembership?>(nil)

    init(
        on executor: QueueExecutor, clocks: any Clocks, record: EngineRecordFile, sockets: EngineSocketFolder,
        events: AsyncStream<EngineHostEvent>.Continuation?,
        strangers: @escaping @Sendable (EngineLife) -> Set<Int32>, over: @escaping @Sendable (EngineLife) -> Void
    ) {
        self.executor = executor
        self.clocks = clocks
        self.record = record
        self.sockets = sockets
        self.events = events
        self.strangers = strangers
        self.over = over
    }

    func start(_ launch: EngineLaunch) {
        let main: ProcessHandle
        do throws(EngineStartFailure) {
            try sockets.make()
            main = try EngineSpawn.start(launch) { belong(to: $0) }
        } catch {
            membership.withLock { $0 = nil }
            record.clear()
            finish(.startFailed(error, at: clocks.now()))
            return
        }
        let started = clocks.now()
        self.main = main
        follow(main)
        events?.yield(.started(pid: main.pid, at: started))
    }

    /// From now on this engine is the one that was asked for. Returns why not, where it does not take the go.
    func go(
        _ go: EngineGo, _ launch: EngineLaunch, record: EngineRecordFile,
        events: AsyncStream<EngineHostEvent>.Continuation
    ) -> String? {
        guard let main, !main.hasEnded else { return "it has ended" }
        let asked = clocks.now()
        let refusal = StandbySocket.go(
            go.socket, to: main.pid, arguments: go.arguments, environment: launch.environment, while: { !main.hasEnded }
        )
        if let refusal { return refusal }
        self.record.become(record)
        self.record = record
        self.events = events
        belong(to: main)
        events.yield(.started(pid: main.pid, at: asked))
        return nil
    }

    /// Ends an engine that waits; `gone` on the stream is the proof.
    func discard(_ events: AsyncStream<EngineHostEvent>.Continuation?) {
        self.events = events
        guard main != nil else {
            events?.finish()
            return
        }
        killAll()
    }

    private func follow(_ main: ProcessHandle) {
        sweep = ProcessSweep(
            on: executor, open: open,
            members: { [weak self] in self?.members().filter { $0.pid != main.pid } ?? [] },
            emptied: { [weak self] _ in self?.assumeIsolated { $0.gone() } })
        mainWatch = ExitWatch(main, on: executor.queue, open: open) { [weak self] in
            self?.assumeIsolated { $0.mainEnded() }
        }
    }

    /// Orphans are the engine's that was asked for; one that waits has none outside of its session.
    private func belong(to main: ProcessHandle) {
        let since = ProcessTable.stat(of: main.pid)?.startTime ?? 0
        let membership = EngineMembership(
            session: main.pid, since: since, agent: getpid(), agentSession: getsid(0), adoptsOrphans: events != nil)
        self.membership.withLock { $0 = membership }
        let identity = ProcessIdentity(pid: main.pid, startTime: since)
        // An engine without a record is lost only to an agent that starts after this one was killed; not worth
        // refusing to serve for.
        try? record.save(EngineRecord(engine: identity, bootID: ProcessTable.bootID()))
    }

    nonisolated func members() -> [ProcessStat] {
        guard let membership = membership.withLock({ $0 }) else { return [] }
        return membership.members(of: ProcessTable.all(), without: strangers(self))
    }

    /// The main process stays a zombie until its last worker is gone: as long as it does, nobody can get its pid,
    /// and so its session and process group ids mean this engine and no other.
    private func mainEnded() {
        // Without a status somebody else has reaped it: how it ended is lost, that it ended is not.
        let exit = main?.exit(reap: false) ?? .exited(code: -1)
        events?.yield(.exited(exit, at: clocks.now()))
        mainWatch = nil
        sweep?.assumeIsolated { $0.finishWhenEmpty() }
        // Nobody will ask for what is left of an engine that has never served.
        if events == nil { killAll() }
    }

    private func gone() {
        _ = main?.exit(reap: true)
        membership.withLock { $0 = nil }
        record.clear()
        main = nil
        sweep = nil
        workers?.stop()
        workers = nil
        finish(.gone(at: clocks.now()))
    }

    private func finish(_ last: EngineHostEvent) {
        over(self)
        events?.yield(last)
        events?.finish()
    }

    /// From now on the end of each of these is told.
    func watch(_ processes: [(ProcessIdentity, EngineProcess)]) {
        guard main != nil else { return }
        let watches =
            workers
            ?? MemberWatches(on: executor.queue, open: open) { [events, clocks] process in
                events?.yield(.processEnded(process, at: clocks.now()))
            }
        workers = watches
        for (identity, process) in processes {
            watches.watch(identity, process) { [weak self] identity in
                self?.assumeIsolated { $0.workers?.end(identity) }
            }
        }
    }

    func terminateMain() {
        main?.send(SIGTERM)
    }

    func killAll() {
        guard let main else { return }
        // The kernel signals a process group as a whole, which also stops a chain of processes that fork and exit
        // faster than they can be listed. The sweep finds those outside of the group.
        _ = kill(-main.pid, SIGKILL)
        sweep?.assumeIsolated { $0.kill() }
    }

    /// Reaps orphans that came to us and ended while the engine runs.
    func reapOrphans() {
        guard let membership = membership.withLock({ $0 }) else { return }
        for process in members()
        where process.isZombie && process.parent == membership.agent && process.pid != membership.session {
            if case .opened(let handle) = ProcessHandle.open(process.identity) { _ = handle.exit(reap: true) }
        }
    }
}
