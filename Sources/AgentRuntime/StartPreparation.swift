internal import AgentCore
internal import Locking

/// The files that an engine's unit reads: one writer at a time.
final class EngineFiles: Sendable {
    struct Engine {
        /// From the writing of its files until it is gone.
        var place: EnginePlace?
        /// Its files are written, and it is not executed yet.
        var isPending = false
    }

    let turns = OneAtATime()
    let engine = Mutex(Engine())
}

/// That a start can work, as far as that can be found out before its engine has the machine.
struct StartProof: Sendable {
    /// As the control plane has it.
    var assignment: Assignment
    /// As it is started: tuned, and with the folder of a model that was downloaded.
    var wanted: Assignment
    /// nil where nothing was to be looked at.
    var tuning: StreamerTuning?
    var install: EngineInstall?
}

/// Everything between an assignment and the exec: proved, brought to the disk where it is not streamed, written down.
struct StartPreparation: Sendable {
    let ports: AgentPorts
    let preparer: EnginePreparer
    let caches: CarriedCaches
    let files = EngineFiles()
    private let preflight: Preflight
    private let cache: ModelCache

    init(settings: AgentSettings, ports: AgentPorts) {
        self.ports = ports
        preparer = EnginePreparer(settings: settings, ports: ports)
        caches = CarriedCaches(settings: settings, ports: ports)
        cache = ModelCache(settings: settings, ports: ports)
        preflight = Preflight(settings: settings, ports: ports, cache: cache)
    }

    /// `known` spares what was found out while another engine ran.
    func launch(
        for assignment: Assignment, on install: EngineInstall?, _ known: StartProof?, _ inbox: Inbox
    ) async throws(FailureReport) -> EngineLaunch {
        async let restored: Void = caches.restore(for: assignment, on: install)
        var proof = known
        if proof == nil { proof = try await prove(assignment, on: install, besideEngine: false, inbox) }
        guard let proof else { preconditionFailure("an engine is started only where nothing speaks against it") }
        await restored
        return try await write(proof.wanted, on: install, proof.tuning)
    }

    /// That it can work, and its model where it is to be. Before anything is written: what cannot work leaves no
    /// credentials behind. `besideEngine`: another one has the port, and goes on until the caches are there, too.
    func prove(
        _ assignment: Assignment, on install: EngineInstall?, besideEngine: Bool, _ inbox: Inbox
    ) async throws(FailureReport) -> StartProof {
        let outcome = try await judge(assignment, on: install, besideEngine: besideEngine, inbox)
        var wanted = outcome?.tuning.applied(to: assignment) ?? assignment
        if assignment.isDownloaded {
            wanted.modelURI = try await bring(assignment, after: outcome, inbox)
            // Nobody waits for it any more; what is not written needs no removal.
            guard !Task.isCancelled else { throw FailureReport(.unknown, message: "abandoned", process: "agent") }
        }
        // Before the old engine makes way: nothing would serve meanwhile.
        if besideEngine { await caches.restoreAhead(for: assignment, on: install) }
        return StartProof(assignment: assignment, wanted: wanted, tuning: outcome?.tuning, install: install)
    }

    private func write(
        _ wanted: Assignment, on install: EngineInstall?, _ tuning: StreamerTuning?
    ) async throws(FailureReport) -> EngineLaunch {
        try await files.turns.run { () async -> Result<EngineLaunch, FailureReport> in
            do throws(FailureReport) {
                let place = ports.engineHost.placeOfWaiting ?? .main
                let launch = try await preparer.prepare(
                    wanted, on: install, at: place, loading: tuning?.loading.value, tuned: tuning?.variables ?? [])
                files.engine.withLock { $0 = EngineFiles.Engine(place: place, isPending: true) }
                return .success(launch)
            } catch {
                return .failure(error)
            }
        }.get()
    }

    /// The files of the engine that runs, for whoever starts it again.
    func renew(with assignment: Assignment, on install: EngineInstall) async throws(FailureReport) {
        try await files.turns.run { () async -> Result<Void, FailureReport> in
            do throws(FailureReport) {
                guard let place = files.engine.withLock({ $0.place }) else { return .success(()) }
                return .success(try preparer.renew(at: place, with: assignment, on: install))
            } catch {
                return .failure(error)
            }
        }.get()
    }

    /// Credentials stay no longer than an engine needs them.
    func removeFiles() {
        let place = files.engine.withLock { engine in
            defer { engine = EngineFiles.Engine() }
            return engine.place
        }
        preparer.removeCredentials(at: place ?? .main)
    }

    /// nil where nothing was to be looked at.
    private func judge(
        _ assignment: Assignment, on install: EngineInstall?, besideEngine: Bool, _ inbox: Inbox
    ) async throws(FailureReport) -> PreflightOutcome? {
        guard let install, let outcome = await preflight.run(assignment, on: install, besideEngine: besideEngine)
        else { return nil }
        inbox.send(.preflightDone(generation: assignment.generation, outcome.report))
        if let failure = outcome.report.failure { throw failure }
        return outcome
    }

    private func bring(
        _ assignment: Assignment, after outcome: PreflightOutcome?, _ inbox: Inbox
    ) async throws(FailureReport) -> String {
        var seen = outcome?.store
        if seen == nil { seen = await preflight.look(assignment) }
        guard let store = seen else { preconditionFailure("only a model of a store is downloaded") }
        // Told not to prove anything, an agent still cannot download what it cannot list.
        if let trouble = preflight.trouble(listing: store, for: assignment) { throw trouble }
        let connections = outcome?.tuning.connections.value ?? StreamerTuning.usualConnections
        return try await ModelDownloader(ports: ports, cache: cache, connections: connections)
            .bring(assignment, from: store, inbox)
    }
}
