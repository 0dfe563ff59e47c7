internal import AgentCore
internal import Locking

/// What the run loop does to the engine. Each function is one effect; what it learns comes back as events.
final class EngineEffects: Sendable {
    private struct State {
        var install: EngineInstall?
        /// Made by a preparation, used by the start of the same generation.
        var launch: (generation: Int64, launch: EngineLaunch)?
        /// Of the assignment that is to follow, found out while an engine ran.
        var proof: StartProof?
        /// What the preparation added to the environment.
        var tuned: [EnvironmentVariable] = []
        /// How long the engine that runs goes on after SIGTERM; nil for one that drops everything.
        var drains: Duration?
        var tracksLoad = false
        var pump: EngineLogPump?
        /// Of the preparation that is in flight: whoever finishes it ends that.
        var abandon: AsyncStream<Never>.Continuation?
    }

    private static let leftoversPatience = Duration.seconds(10)

    let probe: EngineProbe
    let starts: StartMemory
    let settings: AgentSettings
    let ports: AgentPorts
    let locator: EngineLocator
    let preparation: StartPreparation
    let loads: LoadMemory
    let wishes: AsyncStream<StandbyWish>
    let wisher: AsyncStream<StandbyWish>.Continuation
    let parking = Mutex(Parking())
    private let meter = LogMeter()
    private let gpus: GPUWatch
    private let logPath: String
    /// nil where the engine does not outlive the agent.
    private let keeper: LogCheckpointKeeper?
    private let outbox: Outbox
    private let state = Mutex(State())
    private let leftovers = OnlyOnce()

    init(settings: AgentSettings, ports: AgentPorts, outbox: Outbox) {
        self.settings = settings
        self.ports = ports
        (wishes, wisher) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        self.outbox = outbox
        logPath = settings.engineLog
        keeper =
            settings.engineHost == .systemd
            ? LogCheckpointKeeper("\(settings.runtimeFolder)/log.json", files: ports.files, log: ports.log) : nil
        gpus = GPUWatch(ports.gpuMeter, log: ports.log)
        probe = EngineProbe(settings: settings, ports: ports, logMeter: meter, gpus: gpus)
        preparation = StartPreparation(settings: settings, ports: ports)
        starts = StartMemory(settings: settings, ports: ports)
        loads = LoadMemory(settings: settings, ports: ports)
        locator = EngineLocator(settings: settings, files: ports.files)
    }

    var caches: CarriedCaches { preparation.caches }
    var install: EngineInstall? { state.withLock { $0.install } }

    /// Answers always, and in one of three ways: prepared, failed, or abandoned.
    func prepare(_ assignment: Assignment, _ inbox: Inbox) async {
        await answer(inbox) { await self.prepared(assignment, inbox) }
    }

    /// The same for what needs neither GPU nor port nor the files of the engine that runs.
    func prove(_ assignment: Assignment, _ inbox: Inbox) async {
        await answer(inbox) { await self.proved(assignment, inbox) }
    }

    private func answer(_ inbox: Inbox, _ work: @escaping @Sendable () async -> NodeEvent) async {
        let (abandoned, abandon) = AsyncStream<Never>.makeStream()
        state.withLock { $0.abandon = abandon }
        await withDiscardingTaskGroup { group in
            group.addTask { [self] in
                let answer = await work()
                // An abandonment is for the one that comes next from here on.
                state.withLock { $0.abandon = nil }
                inbox.send(answer)
                abandon.finish()
            }
            for await _ in abandoned {}
            group.cancelAll()
        }
    }

    /// The engine that runs keeps what it was started with; whoever starts it again in its place, PID 1 or a successor,
    /// finds what holds now.
    func renew(_ assignment: Assignment) async {
        guard let install else { return }
        do throws(FailureReport) {
            try await preparation.renew(with: assignment, on: install)
        } catch {
            ports.log.write(.warning, "new credentials: \(error.message)")
        }
    }

    /// The preparation in flight comes to its end as soon as it can.
    func abandonPreparation() { state.withLock { $0.abandon }?.finish() }

    private func prepared(_ assignment: Assignment, _ inbox: Inbox) async -> NodeEvent {
        let generation = assignment.generation
        await removeLeftovers()
        await gpus.settle()
        let known = takeProof(for: assignment)
        let install = known.map(\.install) ?? locator.locate()
        state.withLock { $0.install = install }
        if let expected = await starts.expectation(for: assignment, on: install) {
            inbox.send(.startExpected(generation: generation, expected))
        }
        do throws(FailureReport) {
            let launch = try await preparation.launch(for: assignment, on: install, known, inbox)
            state.withLock {
                $0.launch = (generation, launch)
                ($0.drains, $0.tracksLoad) = (launch.drainsOnTerminate, launch.tracksLoad)
            }
            return .prepared(generation: generation, engineDrains: launch.drainsOnTerminate ?? .zero)
        } catch {
            return Task.isCancelled
                ? .preparationAbandoned(generation: generation)
                : .preparationFailed(generation: generation, error)
        }
    }

    private func proved(_ assignment: Assignment, _ inbox: Inbox) async -> NodeEvent {
        let generation = assignment.generation
        do throws(FailureReport) {
            let proof = try await preparation.prove(assignment, on: locator.locate(), besideEngine: true, inbox)
            state.withLock { $0.proof = proof }
            return .proved(generation: generation)
        } catch {
            return Task.isCancelled
                ? .preparationAbandoned(generation: generation)
                : .preparationFailed(generation: generation, error)
        }
    }

    /// For one start: what goes wrong in that is looked for anew.
    private func takeProof(for assignment: Assignment) -> StartProof? {
        state.withLock { state in
            defer { state.proof = nil }
            return state.proof?.assignment == assignment ? state.proof : nil
        }
    }

    /// The life of one engine. Its last event is the last thing that happens here: by then the log has been read to
    /// its end, the verdict is told and the credentials are off the disk.
    func run(_ generation: Int64, _ inbox: Inbox) async {
        guard let (prepared, launch) = state.withLock({ $0.launch }), prepared == generation else {
            preconditionFailure("an engine is started only after a preparation for its generation")
        }
        let log: any EngineLogFollower
        do throws(FailureReport) {
            log = try ports.engineLog.follow(launch.logPath)
        } catch {
            preparation.removeFiles()
            inbox.send(.engineStartFailed(EngineStartFailure(error.failure, error.message)))
            return
        }
        await keeper?.forget()
        outbox.handovers?.logBegins(at: await log.checkpoint(behind: 0))
        // Before the engine is there: whoever finds it must know what it is.
        await outbox.storeAll()
        preparation.files.engine.withLock { $0.isPending = false }
        let pump = EngineLogPump(log, meter: meter, keeper: keeper)
        await follow(ports.engineHost.run(launch), pump, inbox)
    }

    private func follow(
        _ life: AsyncStream<EngineHostEvent>, _ pump: EngineLogPump, isAdopted: Bool = false, _ inbox: Inbox
    ) async {
        probe.forget()
        // Cancelled when this returns.
        async let _ = gpus.watch(isAdopted: isAdopted) { [probe] in probe.isHealthy }
        state.withLock { $0.pump = pump }
        let last = await withTaskGroup(of: Void.self) { [ports] group in
            group.addTask { await pump.run(inbox) }
            var last = Inbox.Happening(event: .engineGone, at: ports.clocks.now())
            for await event in life {
                guard let happening = event.asHappening else {
                    pump.blame(event)
                    continue
                }
                last = happening
                switch event {
                case .started, .processEnded: inbox.send(last.event, at: last.at)
                case .exited(let exit, _):
                    inbox.send(last.event, at: last.at)
                    pump.explain(exit)
                case .startFailed: group.cancelAll()
                case .gone, .ranOutOfMemory: break
                }
            }
            await group.waitForAll()
            return last
        }
        state.withLock { $0.pump = nil }
        // The agent ends and the engine does not.
        if Task.isCancelled { return }
        await keeper?.forget()
        preparation.removeFiles()
        gpus.engineEnded()
        inbox.send(last.event, at: last.at)
    }

    func probeHealth(_ inbox: Inbox) async {
        let pump = state.withLock { $0.pump }
        await probe.run(inbox) { await pump?.catchUp() }
    }

    /// What may wait until the model serves.
    func settle(_ inbox: Inbox) async {
        await caches.settle { generation, verdict in inbox.send(.cachesJudged(generation: generation, verdict)) }
        if let executable = install?.executable { await ports.readAhead?.record(engine: executable) }
    }

    /// Asks for a verdict before the main process has ended; it comes as `failureExplained`.
    func explainFailure() {
        state.withLock { $0.pump }?.explain(nil)
    }

    /// What the engine works on, and whether it will finish that by itself after SIGTERM.
    func countRequests() async -> NodeEvent {
        let (drains, tracksLoad) = state.withLock { ($0.drains, $0.tracksLoad) }
        let count = await RequestCounter(base: probe.base, tracksLoad: tracksLoad, http: ports.http).count()
        return .preemption(.counted(count, engineDrains: drains))
    }

    /// An agent that was killed leaves an engine that nobody watches; it holds the memory the next one needs.
    func removeLeftovers() async {
        await leftovers.run { await self.endLeftovers() }
    }

    private func endLeftovers() async {
        let killed = await withTaskGroup { [ports] group in
            group.addTask { await ports.engineHost.removeLeftovers() }
            group.addTask {
                // A process that hangs in a driver cannot be killed; the start will then say what is in its way.
                try? await Task.sleep(for: Self.leftoversPatience)
                return []
            }
            let first = await group.next() ?? []
            group.cancelAll()
            return first
        }
        guard !killed.isEmpty else { return }
        gpus.engineEnded()
        let pids = killed.map(String.init).joined(separator: ", ")
        ports.log.write(.warning, "ended an engine that an earlier agent left behind (pids \(pids))")
    }
}

// MARK: Adoption

extension EngineEffects {
    /// An engine of an earlier agent, its log followed from where that agent had understood it.
    struct Adoption: Sendable {
        var handover: Handover
        var engine: AdoptedEngine
        var pump: EngineLogPump
        var expected: StartExpectation?
    }

    /// nil where no engine runs that this agent may go on with; what runs otherwise is for `removeLeftovers`.
    func adopt(_ left: (handover: Handover, log: LogStart), pending: [OutboxEvent]) async -> Adoption? {
        guard let handover = left.handover.completed(by: pending), let prepared = handover.timeline[.preflightDone],
            let log = try? ports.engineLog.follow(logPath, from: await logStart(left.log)),
            let engine = await ports.engineHost.adopt(startedAfter: prepared)
        else { return nil }
        let install = locator.locate()
        let last = preparation.preparer.lastLaunch()
        state.withLock { ($0.install, $0.drains, $0.tracksLoad) = (install, last.drains, last.tracksLoad) }
        preparation.files.engine.withLock { $0.place = engine.place }
        // There is one engine, and it is no leftover.
        await leftovers.run {}
        let expected = await starts.expectation(for: handover.assignment, on: install)
        let pump = EngineLogPump(log, meter: meter, keeper: keeper)
        // The first probe may come before the first look into the log.
        state.withLock { $0.pump = pump }
        return Adoption(handover: handover, engine: engine, pump: pump, expected: expected)
    }

    /// Without a checkpoint, from where the start began: that agent was killed before it had read a line.
    private func logStart(_ begun: LogStart) async -> LogStart {
        await keeper?.load().map(LogStart.checkpoint) ?? begun
    }

    /// What an earlier agent left leads nowhere.
    func forgetHandover() async {
        await outbox.handovers?.forget()
        await keeper?.forget()
    }

    func follow(_ adoption: Adoption, _ inbox: Inbox) async {
        await follow(adoption.engine.events, adoption.pump, isAdopted: true, inbox)
    }
}
