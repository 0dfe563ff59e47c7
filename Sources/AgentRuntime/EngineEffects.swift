internal import AgentCore
internal import Locking

/// What the run loop does to the engine. Each function is one effect; what it learns comes back as events.
final class EngineEffects: Sendable {
    private struct State {
        var install: EngineInstall?
        /// Made by the last preparation, used by the start that follows it.
        var launch: EngineLaunch?
        var pump: EngineLogPump?
        var leftoversAreGone = false
    }

    private static let leftoversPatience = Duration.seconds(10)

    let probe: EngineProbe
    private let ports: AgentPorts
    private let preparer: EnginePreparer
    private let locator: EngineLocator
    private let state = Mutex(State())

    init(settings: AgentSettings, ports: AgentPorts) {
        self.ports = ports
        probe = EngineProbe(settings: settings, ports: ports)
        preparer = EnginePreparer(settings: settings, ports: ports)
        locator = EngineLocator(settings: settings, files: ports.files)
    }

    var install: EngineInstall? { state.withLock { $0.install } }

    func prepare(_ assignment: Assignment) async -> NodeEvent {
        await removeLeftovers()
        let install = locator.locate()
        state.withLock { $0.install = install }
        do throws(FailureReport) {
            let launch = try await preparer.prepare(assignment, on: install)
            state.withLock { $0.launch = launch }
            return .prepared(generation: assignment.generation)
        } catch {
            return .preparationFailed(generation: assignment.generation, error)
        }
    }

    /// The life of one engine, with its log followed from before the exec to after the end.
    func run(_ inbox: Inbox) async {
        guard let launch = state.withLock({ $0.launch }) else {
            preconditionFailure("an engine is started only after a preparation that made its launch")
        }
        let pump: EngineLogPump
        do throws(FailureReport) {
            pump = EngineLogPump(try ports.engineLog.follow(launch.logPath))
        } catch {
            inbox.send(.engineStartFailed(EngineStartFailure(error.failure, error.message)))
            return
        }
        state.withLock { $0.pump = pump }
        let host = ports.engineHost
        await withDiscardingTaskGroup { group in
            group.addTask { await pump.run(inbox) }
            for await event in host.run(launch) {
                let (happened, instant) = event.asNodeEvent
                inbox.send(happened, at: instant)
            }
            // The verdict, where one was asked for, may still be on its way.
            if !pump.isExplaining { group.cancelAll() }
        }
        state.withLock { $0.pump = nil }
        preparer.removeCredentials()
    }

    /// Asks for a verdict; it comes as `failureExplained`.
    func explain(_ exit: EngineExit?, _ inbox: Inbox) {
        if let pump = state.withLock({ $0.pump }) {
            pump.explain(exit)
        } else {
            let report = FailureReport(.unknown, message: "the engine's log could not be read", process: "agent")
            inbox.send(.failureExplained(report))
        }
    }

    /// Health, and while the engine loads its processes too: they name the stretches the log is silent about.
    func probeHealth(_ inbox: Inbox) async {
        let answer = await probe.health()
        if answer == .refused { inbox.send(.engineProcessesSeen(ports.engineHost.observe())) }
        inbox.send(.healthAnswered(answer))
    }

    /// An agent that was killed leaves an engine that nobody watches; it holds the memory the next one needs.
    private func removeLeftovers() async {
        guard !state.withLock({ $0.leftoversAreGone }) else { return }
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
        state.withLock { $0.leftoversAreGone = true }
        guard !killed.isEmpty else { return }
        let pids = killed.map(String.init).joined(separator: ", ")
        ports.log.write(.warning, "ended an engine that an earlier agent left behind (pids \(pids))")
    }
}

extension EngineHostEvent {
    /// The host's stamp is nearer to what happened than the run loop's.
    var asNodeEvent: (NodeEvent, BootInstant) {
        switch self {
        case .startFailed(let failure, let at): (.engineStartFailed(failure), at)
        case .started(let pid, let at): (.engineStarted(pid: pid), at)
        case .processEnded(let process, let at): (.engineProcessEnded(process), at)
        case .exited(let exit, let at): (.engineExited(exit), at)
        case .gone(let at): (.engineGone, at)
        }
    }
}
