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

    func launch(
        for assignment: Assignment, on install: EngineInstall?, _ inbox: Inbox
    ) async throws(FailureReport) -> EngineLaunch {
        async let restored: Void = caches.restore(for: assignment, on: install)
        let outcome = try await prove(assignment, on: install, inbox)
        var wanted = outcome?.tuning.applied(to: assignment) ?? assignment
        if assignment.isDownloaded {
            wanted.modelURI = try await bring(assignment, after: outcome, inbox)
            // Nobody waits for it any more; what is not written needs no removal.
            guard !Task.isCancelled else { throw FailureReport(.unknown, message: "abandoned", process: "agent") }
        }
        await restored
        return try await write(wanted, on: install, outcome?.tuning)
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
    func renew(
        _ launch: EngineLaunch, with assignment: Assignment, on install: EngineInstall
    ) async throws(FailureReport) {
        try await files.turns.run { () async -> Result<Void, FailureReport> in
            do throws(FailureReport) {
                return .success(try preparer.renew(launch, with: assignment, on: install))
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

    /// Before anything is written: what cannot work leaves no credentials behind. nil where
    /// nothing was to be looked at.
    private func prove(
        _ assignment: Assignment, on install: EngineInstall?, _ inbox: Inbox
    ) async throws(FailureReport) -> PreflightOutcome? {
        guard let install, let outcome = await preflight.run(assignment, on: install) else { return nil }
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
