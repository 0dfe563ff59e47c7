package import AgentCore
internal import AgentWire

/// What is known before a start: whether it can work, and how it is best done.
package struct PreflightOutcome: Sendable {
    package var report: PreflightReport
    package var tuning: StreamerTuning
    package var install: EngineInstall
}

/// Proves, before a GPU second is spent, that an assignment can work: what is in the store, and what this machine is.
package struct Preflight: Sendable {
    /// What is not known by then is a warning, and the start goes on: the engine has more patience.
    private static let patience = Duration.seconds(5)

    private let settings: AgentSettings
    private let ports: AgentPorts
    private let node: NodeFactsReader

    package init(settings: AgentSettings, ports: AgentPorts) {
        self.settings = settings
        self.ports = ports
        node = NodeFactsReader(
            files: ports.files, cacheFolder: settings.cacheFolder, sharesLimits: settings.engineHost != .systemd)
    }

    /// As the node's settings want it; nil where they want none.
    func run(_ assignment: Assignment, on install: EngineInstall) async -> PreflightOutcome? {
        guard settings.preflight != .off else { return nil }
        var outcome = await judge(assignment, on: install)
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

    private func judge(_ assignment: Assignment, on install: EngineInstall) async -> PreflightOutcome {
        let begun = ports.clocks.now()
        async let readFacts = node.read()
        async let bytecode = node.readBytecode(
            EngineLocator(settings: settings, files: ports.files).packageFolders(of: install.executable))
        let store = await look(assignment, deadline: begun + Self.patience)
        let facts = await readFacts
        let tuning = StreamerTuning(
            assignment, on: install, facts: facts, store: store, inherited: settings.environment)
        let assignment = tuning.applied(to: assignment)
        let arguments = EngineCommand.arguments(for: assignment, on: install, placement: settings.placement)
        let weightBytes = store.flatMap { $0.weights.isEmpty ? nil : $0.weightBytes }
        var findings: [PreflightFinding] = [portFinding]
        if let store {
            let streams = Self.loadFormat(arguments) == "runai_streamer"
            findings += StoreJudge(
                store, for: assignment, streams: streams, wallTime: ports.clocks.wallTime(),
                expiresAt: assignment.store.expiresAt.flatMap { WallClock.seconds(rfc3339: $0) }
            ).findings()
        }
        findings += NodeJudge(
            facts, install: install, assignment: assignment, arguments: arguments, weightBytes: weightBytes
        ).findings()
        findings += [
            await bytecode.finding(neverWritten: settings.environment["PYTHONDONTWRITEBYTECODE"]?.isEmpty == false)
        ].compactMap { $0 }
        if let weightBytes { findings += Self.expectation(facts, assignment, weightBytes: weightBytes) }
        let report = PreflightReport(
            findings: findings, weightBytes: weightBytes, seconds: (ports.clocks.now() - begun).inSeconds)
        return PreflightOutcome(report: report, tuning: tuning, install: install)
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
        _ facts: NodeFacts, _ assignment: Assignment, weightBytes: UInt64
    ) -> [PreflightFinding] {
        let ranks = max(1, assignment.tensorParallelSize)
        let bytes = weightBytes.multipliedReportingOverflow(by: UInt64(ranks)).partialValue
        guard let link = LinkExpectation(facts, provider: assignment.provider, bytes: bytes) else { return [] }
        let target = LoadTarget(weightBytes: weightBytes)
        return [link.finding(weightBytes: weightBytes, ranks: ranks, target: target)]
    }

    /// The last one wins, as on any command line.
    private static func loadFormat(_ arguments: [String]) -> String? {
        var format: String?
        for (flag, value) in zip(arguments, arguments.dropFirst()) where flag == "--load-format" { format = value }
        let joined = arguments.last { $0.hasPrefix("--load-format=") }
        return joined.map { String($0.dropFirst("--load-format=".count)) } ?? format
    }
}
