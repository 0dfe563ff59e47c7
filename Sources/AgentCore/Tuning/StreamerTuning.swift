/// A value, and why it is that.
package struct Chosen<Value: Equatable & Sendable>: Equatable, Sendable {
    package var value: Value
    package var reason: String

    package init(_ value: Value, _ reason: String) {
        self.value = value
        self.reason = reason
    }
}

/// How the weights come into memory: what was decided by somebody stays, the rest is fitted to link, machine and model,
/// and to what earlier loads have shown.
package struct StreamerTuning: Equatable, Sendable {
    package var loading: Chosen<WeightLoading>
    package var concurrency: Chosen<Int>
    package var memoryLimit: Chosen<Int64>
    /// Bytes of one request.
    package var chunkBytes: Chosen<Int>
    /// Milliseconds in which a connection must move at all.
    package var requestTimeout: Chosen<Int>
    /// Connections of one unit of concurrency; nil is the streamer's own number.
    package var connectionCap: Chosen<Int?>
    /// Requests at a time of a download.
    package var connections: Chosen<Int>
    /// Seconds that the guide expects; nil where it does not know this GPU.
    package var expected: Chosen<ClosedRange<Double>>?
    /// What this way of loading reads of the store, once.
    package var weightBytes: UInt64
    /// How often the network brings that: once for each rank that reads all of it.
    package var copies: Int

    /// Of a download on a link that nothing is known of.
    package static let usualConnections = 32
    private static let mostConnections = 64
    private static let mebibyte = 1 << 20

    /// `inherited` is the agent's own environment: what the node sets there stays.
    package init(
        _ assignment: Assignment, on install: EngineInstall, facts: NodeFacts, store: ObservedStore?,
        inherited: [String: String] = [:], learned: LearnedLoads? = nil
    ) {
        loading = Self.loading(assignment, on: install, facts: facts, store: store, inherited: inherited)
        let format = loading.value.format
        let bytes = Self.weightBytes(store, format)
        weightBytes = bytes
        copies = format == .streamer && !loading.value.isDistributed ? max(1, assignment.tensorParallelSize) : 1
        let row = TuningMatrix.row(
            gpu: assignment.gpu ?? facts.gpus.first, ranks: assignment.tensorParallelSize, weightBytes: bytes)
        let link = LinkExpectation(facts, provider: assignment.provider, bytes: max(1, bytes))
        chunkBytes =
            Self.given("RUNAI_STREAMER_CHUNK_BYTESIZE", inherited)
            ?? Self.chunk(weightBytes: bytes, firstByte: store?.firstByteSeconds)
        let fit = ConcurrencyFit(
            assignment: assignment, row: row, link: link, firstByte: store?.firstByteSeconds, chunk: chunkBytes.value,
            streamer: install.streamer, cores: facts.cores, learned: learned)
        concurrency = fit.concurrency
        connections = fit.downloadConnections(atMost: Self.mostConnections, usual: Self.usualConnections)
        memoryLimit = MemoryFit(
            assignment: assignment, row: row, install: install, facts: facts, weightBytes: bytes,
            largestTensor: store?.largestTensorBytes, loading: loading.value, learned: learned
        ).limit
        requestTimeout = Self.given("RUNAI_STREAMER_S3_REQUEST_TIMEOUT_MS", inherited) ?? Self.timeout(link: link)
        connectionCap = Self.connectionCap(facts, concurrency: concurrency.value, inherited)
        expected = row.map { row in
            Chosen(
                row.seconds,
                "the guide's row \(row.name); it takes \(LinkExpectation.tenths(row.gigabitsNeeded)) Gbit/s from the store"
            )
        }
    }

    /// The assignment with these values in place of its defaults.
    package func applied(to assignment: Assignment) -> Assignment {
        var assignment = assignment
        assignment.streamerConcurrency = concurrency.value
        assignment.streamerMemoryLimit = memoryLimit.value
        return assignment
    }

    /// The part of it that the engine takes from its environment.
    package var variables: [EnvironmentVariable] {
        guard loading.value.format != .files else { return [] }
        var variables = [
            EnvironmentVariable("RUNAI_STREAMER_CHUNK_BYTESIZE", String(chunkBytes.value)),
            EnvironmentVariable("RUNAI_STREAMER_S3_REQUEST_TIMEOUT_MS", String(requestTimeout.value)),
        ]
        if let cap = connectionCap.value {
            variables.append(EnvironmentVariable("RUNAI_STREAMER_S3_MAX_CONNECTIONS", String(cap)))
        }
        // This loader takes nothing but a pattern in its configuration.
        if loading.value.format == .sharded {
            variables.append(EnvironmentVariable("RUNAI_STREAMER_CONCURRENCY", String(concurrency.value)))
            variables.append(EnvironmentVariable("RUNAI_STREAMER_MEMORY_LIMIT", String(memoryLimit.value)))
        }
        return variables
    }
}

// MARK: - Each value

extension StreamerTuning {
    /// A number that is none is left to the streamer to complain about.
    private static func given(_ name: String, _ inherited: [String: String]) -> Chosen<Int>? {
        inherited[name].flatMap { Int($0) }.flatMap { $0 > 0 ? Chosen($0, "set on this node (\(name))") : nil }
    }

    private static func loading(
        _ assignment: Assignment, on install: EngineInstall, facts: NodeFacts, store: ObservedStore?,
        inherited: [String: String]
    ) -> Chosen<WeightLoading> {
        guard assignment.useRunaiStreamer else {
            let why = assignment.isDownloaded ? "; the model is downloaded first" : ""
            return Chosen(WeightLoading(.files), "use_runai_streamer is false\(why)")
        }
        let ranks = assignment.tensorParallelSize
        if let store, RankFiles(among: store.weights).fit(ranks: ranks) {
            guard install.effectiveVLLM < EngineVersion(0, 12) else {
                return Chosen(WeightLoading(.sharded), "the store holds files for each of \(ranks) ranks")
            }
            return Chosen(WeightLoading(.streamer), "before vLLM 0.12 rank files cannot be read from a store")
        }
        guard ranks > 1 else { return Chosen(WeightLoading(.streamer), "one rank reads everything") }
        if let reason = hindrance(install, facts, weightBytes: store?.weightBytes ?? 0, inherited) {
            return Chosen(WeightLoading(.streamer), "each of \(ranks) ranks reads everything: \(reason)")
        }
        return Chosen(
            WeightLoading(.streamer, isDistributed: true),
            "\(ranks) ranks share the reading (distributed): the network brings the weights once, not \(ranks) times")
    }

    /// Why the ranks do not share the reading; nil where they do.
    private static func hindrance(
        _ install: EngineInstall, _ facts: NodeFacts, weightBytes: UInt64, _ inherited: [String: String]
    ) -> String? {
        if inherited["RUNAI_STREAMER_DIST"] == "0" { return "set on this node (RUNAI_STREAMER_DIST)" }
        guard install.effectiveVLLM >= EngineVersion(0, 22) else {
            return "before vLLM 0.22 shared reading can corrupt weights"
        }
        guard let streamer = install.streamer, streamer >= EngineVersion(0, 15) else {
            return "shared reading came with streamer 0.15"
        }
        // Up to 0.16 it buffers the whole model, whatever the limit says.
        if streamer < EngineVersion(0, 17), let available = facts.availableMemory, weightBytes > available / 2 {
            return "streamer \(streamer) would buffer the whole model for it"
        }
        return nil
    }

    private static func weightBytes(_ store: ObservedStore?, _ format: WeightLoading.Format) -> UInt64 {
        guard let store else { return 0 }
        switch format {
        case .streamer: return store.weightBytes
        case .sharded: return RankFiles(among: store.weights).objects.reduce(0) { $0 &+ $1.bytes }
        case .files: return ModelFile.wanted(of: store).filter(\.isWeights).reduce(0) { $0 &+ $1.bytes }
        }
    }

    private static func chunk(weightBytes: UInt64, firstByte: Double?) -> Chosen<Int> {
        if weightBytes > 100_000_000_000 {
            return Chosen(
                32 * mebibyte, "beyond 100 GB, chunks of 8 MiB are more requests than one bucket likes from many nodes")
        }
        if let firstByte, firstByte > 0.2 {
            return Chosen(
                32 * mebibyte, "the first byte takes \(Int(firstByte * 1000)) ms: larger chunks wait for it less often")
        }
        return Chosen(8 * mebibyte, "the streamer's own default for object stores")
    }

    private static func timeout(link: LinkExpectation?) -> Chosen<Int> {
        guard let link, link.speed < 1e9 else {
            return Chosen(30_000, "connections that wait their turn on a shared link are not dead")
        }
        return Chosen(60_000, "below 1 Gbit/s, hundreds of connections wait long for their turn")
    }

    /// A process that runs out of descriptors fails in the middle of the load.
    private static func connectionCap(
        _ facts: NodeFacts, concurrency: Int, _ inherited: [String: String]
    ) -> Chosen<Int?> {
        if let given = given("RUNAI_STREAMER_S3_MAX_CONNECTIONS", inherited) {
            return Chosen(given.value, given.reason)
        }
        guard let limit = facts.descriptorLimit, limit < NodeJudge.descriptors(for: concurrency) else {
            return Chosen(nil, "the streamer's own: descriptors do not limit it")
        }
        let room = limit > NodeJudge.otherDescriptors ? limit - NodeJudge.otherDescriptors : 0
        let cap = max(1, Int(clamping: room) / max(1, concurrency))
        return Chosen(cap, "a process may open \(limit) descriptors, \(NodeJudge.otherDescriptors) of them for others")
    }
}
