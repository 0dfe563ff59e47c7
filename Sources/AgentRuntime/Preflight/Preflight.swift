package import AgentCore
internal import AgentWire

/// What is known before a start: whether it can work, and how it is best done.
package struct PreflightOutcome: Sendable {
    package var report: PreflightReport
    package var tuning: StreamerTuning
    package var install: EngineInstall
    /// nil for a model that is in no store.
    package var store: ObservedStore?
    /// Where the engine is started on a model that is downloaded.
    package var modelFolder: String?
}

/// Proves, before a GPU second is spent, that an assignment can work: what is in the store, and what this machine is.
package struct Preflight: Sendable {
    /// What is not known by then is a warning, and the start goes on: the engine has more patience.
    private static let patience = Duration.seconds(5)

    private let settings: AgentSettings
    private let ports: AgentPorts
    private let node: NodeFactsReader
    private let cache: ModelCache
    private let loads: LoadMemory

    package init(settings: AgentSettings, ports: AgentPorts) {
        self.init(settings: settings, ports: ports, cache: ModelCache(settings: settings, ports: ports))
    }

    init(settings: AgentSettings, ports: AgentPorts, cache: ModelCache) {
        self.cache = cache
        loads = LoadMemory(settings: settings, ports: ports)
        self.settings = settings
        self.ports = ports
        node = NodeFactsReader(
            files: ports.files, cacheFolder: settings.cacheFolder, sharesLimits: settings.engineHost != .systemd)
    }

    /// As the node's settings want it; nil where they want none.
    func run(
        _ assignment: Assignment, on install: EngineInstall, besideEngine: Bool = false
    ) async -> PreflightOutcome? {
        guard settings.preflight != .off else { return nil }
        var outcome = await judge(assignment, on: install, besideEngine: besideEngine)
        if settings.preflight == .warn { outcome.report = outcome.report.withoutVeto }
        return outcome
    }

    /// Finds the engine by itself, for those who only ask.
    package func judge(_ assignment: Assignment) async -> PreflightOutcome {
        let found = EngineLocator(settings: settings, files: ports.files).locate()
        guard found == nil else { return await judge(assignment, on: found ?? Self.unknownEngine) }
        var outcome = await judge(assignment, on: Self.unknownEngine)
        let others = outcome.report.findings.filter { $0.check != .engine && $0.check != .streamer }
        let missing = PreflightFinding.fatal(.engine, .engineMissing, "no executable vllm on this machine")
        outcome.report = PreflightReport(
            findings: others + [missing], weightBytes: outcome.report.weightBytes, seconds: outcome.report.seconds)
        return outcome
    }

    private static let unknownEngine = EngineInstall(executable: "vllm")

    /// `besideEngine`: whether the port is free is found out once the engine that has it is gone.
    private func judge(
        _ assignment: Assignment, on install: EngineInstall, besideEngine: Bool = false
    ) async -> PreflightOutcome {
        let begun = ports.clocks.now()
        async let readFacts = node.read()
        async let learned = loads.learned(for: assignment)
        async let bytecode = node.readBytecode(
            EngineLocator(settings: settings, files: ports.files).packageFolders(of: install.executable))
        let store = await look(assignment, deadline: begun + Self.patience)
        let facts = await readFacts
        let tuning = StreamerTuning(
            assignment, on: install, facts: facts, store: store, inherited: settings.environment,
            learned: await learned)
        let tuned = tuning.applied(to: assignment)
        let arguments = EngineCommand.arguments(
            for: tuned, on: install, placement: settings.placement, loading: tuning.loading.value)
        let weightBytes = store.flatMap { $0.weights.isEmpty ? nil : tuning.weightBytes }
        var findings: [PreflightFinding] = besideEngine ? [] : [portFinding]
        if let store { findings += judge(store, for: tuned, use: use(of: tuning, arguments, assignment)) }
        findings += NodeJudge(
            facts, install: install, assignment: tuned, arguments: arguments, weightBytes: weightBytes,
            buffers: tuning.buffers
        ).findings()
        let (cached, folder) = await cacheFindings(assignment, store)
        findings += cached
        findings += [
            await bytecode.finding(neverWritten: settings.environment["PYTHONDONTWRITEBYTECODE"]?.isEmpty == false)
        ].compactMap { $0 }
        let networkBytes = weightBytes.map { $0.multipliedReportingOverflow(by: UInt64(tuning.copies)).partialValue }
        if let weightBytes {
            findings += Self.expectation(facts, assignment, weightBytes: weightBytes, copies: tuning.copies)
        }
        let report = PreflightReport(
            findings: findings, weightBytes: weightBytes, networkBytes: networkBytes,
            seconds: (ports.clocks.now() - begun).inSeconds)
        return PreflightOutcome(report: report, tuning: tuning, install: install, store: store, modelFolder: folder)
    }

    private func judge(
        _ store: ObservedStore, for assignment: Assignment, use: StoreJudge.Use
    ) -> [PreflightFinding] {
        StoreJudge(
            store, for: assignment, use: use, wallTime: ports.clocks.wallTime(),
            expiresAt: assignment.store.expiresAt.flatMap { WallClock.seconds(rfc3339: $0) }
        ).findings()
    }

    private func use(of tuning: StreamerTuning, _ arguments: [String], _ assignment: Assignment) -> StoreJudge.Use {
        if assignment.isDownloaded { return .downloaded }
        switch Self.loadFormat(arguments) {
        case WeightLoading.Format.streamer.rawValue: return .streamed
        case WeightLoading.Format.sharded.rawValue: return .streamedByRank
        default: return .unknown
        }
    }

    /// What a download will find, for a model that is to be downloaded; and where it will be.
    private func cacheFindings(
        _ assignment: Assignment, _ store: ObservedStore?
    ) async -> ([PreflightFinding], folder: String?) {
        guard assignment.isDownloaded, let store, !store.objects.isEmpty else { return ([], nil) }
        do throws(FailureReport) {
            let folder = try await cache.survey(store)
            let evicted = try await cache.evictions(for: folder)
            return ([.cache(folder.plan, evicting: evicted.count)], folder.path)
        } catch {
            return ([.fatal(.cache, error.failure, error.message)], nil)
        }
    }

    /// Why this store's listing is nothing to download from; nil where it is.
    func trouble(listing store: ObservedStore, for assignment: Assignment) -> FailureReport? {
        if case .objects(let objects, isComplete: true) = store.listing, !objects.isEmpty { return nil }
        let findings = judge(store, for: assignment, use: .downloaded)
        if let failure = PreflightReport(findings: findings, seconds: 0).failure { return failure }
        let warned = findings.first { $0.level == .warn }
        return FailureReport(
            warned?.failure ?? .endpointStalled,
            message: warned?.message ?? "\(store.address) holds more objects than a model has", process: "agent")
    }

    /// Without a verdict; nil for a model that is in no store.
    func look(_ assignment: Assignment) async -> ObservedStore? {
        await look(assignment, deadline: ports.clocks.now() + Self.patience)
    }

    /// nil for a model on the node's own disk.
    private func look(_ assignment: Assignment, deadline: BootInstant) async -> ObservedStore? {
        guard assignment.modelURI.hasPrefix("s3://") else { return nil }
        let address = assignment.modelURI.dropFirst("s3://".count)
        let bucket = String(address.prefix { $0 != "/" })
        var prefix = String(address.dropFirst(bucket.count + 1))
        while prefix.hasSuffix("/") { prefix.removeLast() }
        let requests = S3Requests(
            store: assignment.store, bucket: bucket, signer: ports.signer,
            wallTime: { [clocks = ports.clocks] in clocks.wallTime() })
        let scout = StoreScout(ports: ports, requests: requests, deadline: deadline, prefix: prefix + "/")
        return await scout.look(endpoint: assignment.store.endpoint, bucket: bucket)
    }

    private var portFinding: PreflightFinding {
        guard let listener = ports.portInspector.listeners(onTCPPort: settings.enginePort).first else {
            return .ok(.port, "\(settings.enginePort) is free")
        }
        return .fatal(.port, .portInUse, FailureReport.portInUse(listener).message)
    }

    private static func expectation(
        _ facts: NodeFacts, _ assignment: Assignment, weightBytes: UInt64, copies: Int
    ) -> [PreflightFinding] {
        let bytes = weightBytes.multipliedReportingOverflow(by: UInt64(copies)).partialValue
        guard let link = LinkExpectation(facts, provider: assignment.provider, bytes: bytes) else { return [] }
        let target = LoadTarget(weightBytes: weightBytes)
        return [link.finding(weightBytes: weightBytes, ranks: copies, target: target)]
    }

    /// The last one wins, as on any command line.
    private static func loadFormat(_ arguments: [String]) -> String? {
        var format: String?
        for (flag, value) in zip(arguments, arguments.dropFirst()) where flag == "--load-format" { format = value }
        let joined = arguments.last { $0.hasPrefix("--load-format=") }
        return joined.map { String($0.dropFirst("--load-format=".count)) } ?? format
    }
}
