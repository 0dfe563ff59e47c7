/// A value, and why it is that.
package struct Chosen<Value: Equatable & Sendable>: Equatable, Sendable {
    package var value: Value
    package var reason: String

    package init(_ value: Value, _ reason: String) {
        self.value = value
        self.reason = reason
    }
}

/// How the weights are streamed: what was decided by somebody stays, the rest is fitted to link, machine and model.
package struct StreamerTuning: Equatable, Sendable {
    package var concurrency: Chosen<Int>
    package var memoryLimit: Chosen<Int64>
    /// Bytes of one request.
    package var chunkBytes: Chosen<Int>
    /// Milliseconds in which a connection must move at all.
    package var requestTimeout: Chosen<Int>
    /// Seconds that the guide expects; nil where it does not know this GPU.
    package var expected: Chosen<ClosedRange<Double>>?

    /// Of one connection to a store on the internet, in bytes a second: what one TCP flow carries at some tens of
    /// milliseconds. Too low costs a few idle connections; too high leaves the link idle.
    private static let flowRate = 150e6
    /// What the streamer itself has been seen to reach, in bytes a second, on any link.
    private static let streamerCeiling = 7.5e9
    /// Connections of one unit of concurrency that are busy at a time (`scripts/bench loading`: 16 at 1, 27 at 2, 45 at
    /// 8). Before 0.14 a unit was a thread with one.
    private static func busyConnections(_ streamer: EngineVersion?) -> Int {
        streamer.map { $0 < EngineVersion(0, 14) } == true ? 1 : 10
    }
    /// Links are not steady: too many connections cost little, too few cost much.
    private static let headroom = 2
    /// Beyond this the guide and the streamer's own benchmarks see no more speed.
    private static let highest = 64
    /// The streamer's own default for object stores.
    private static let lowest = 8
    private static let mebibyte = 1 << 20

    /// `inherited` is the agent's own environment: what the node sets there stays.
    package init(
        _ assignment: Assignment, on install: EngineInstall, facts: NodeFacts, store: ObservedStore?,
        inherited: [String: String] = [:]
    ) {
        let bytes = store?.weightBytes ?? 0
        let row = TuningMatrix.row(
            gpu: assignment.gpu ?? facts.gpus.first, ranks: assignment.tensorParallelSize, weightBytes: bytes)
        let link = LinkExpectation(facts, provider: assignment.provider, bytes: max(1, bytes))
        let firstByte = store?.firstByteSeconds
        chunkBytes =
            Self.given("RUNAI_STREAMER_CHUNK_BYTESIZE", inherited)
            ?? Self.chunk(weightBytes: bytes, firstByte: firstByte)
        concurrency = Self.concurrency(
            assignment, row: row, link: link, firstByte: firstByte, chunk: chunkBytes.value,
            busy: Self.busyConnections(install.streamer), cores: facts.cores)
        memoryLimit = Self.memoryLimit(
            assignment, row: row, install: install, facts: facts, weightBytes: bytes,
            largestTensor: store?.largestTensorBytes)
        requestTimeout = Self.given("RUNAI_STREAMER_S3_REQUEST_TIMEOUT_MS", inherited) ?? Self.timeout(link: link)
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
        [
            EnvironmentVariable("RUNAI_STREAMER_CHUNK_BYTESIZE", String(chunkBytes.value)),
            EnvironmentVariable("RUNAI_STREAMER_S3_REQUEST_TIMEOUT_MS", String(requestTimeout.value)),
        ]
    }

    // MARK: Each value

    /// A number that is none is left to the streamer to complain about.
    private static func given(_ name: String, _ inherited: [String: String]) -> Chosen<Int>? {
        inherited[name].flatMap { Int($0) }.flatMap { $0 > 0 ? Chosen($0, "set on this node (\(name))") : nil }
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

    /// Connections that fill the link: rate × (first byte + transfer of a chunk) ÷ chunk.
    private static func concurrency(
        _ assignment: Assignment, row: TuningMatrix.Row?, link: LinkExpectation?, firstByte: Double?, chunk: Int,
        busy: Int, cores: Int?
    ) -> Chosen<Int> {
        guard !assignment.givenStreamerSettings.contains(.concurrency) else {
            return Chosen(assignment.streamerConcurrency, "given by the assignment or by the node's settings")
        }
        guard let link, let firstByte else {
            if let row { return Chosen(row.concurrency, "the guide's row \(row.name); the link's speed is not known") }
            return Chosen(assignment.streamerConcurrency, "the default: neither the link's speed nor the GPU is known")
        }
        let rate = min(link.speed / 8, streamerCeiling)
        let connections = Int((rate * (firstByte + Double(chunk) / flowRate) / Double(chunk)).rounded(.up))
        var reason =
            "\(connections) busy connections fill \(LinkExpectation.tenths(rate * 8 / 1e9)) Gbit/s at"
            + " \(Int(firstByte * 1000)) ms to the first byte"
        if let row { reason += "; the guide's row \(row.name) says \(row.concurrency)" }
        let wanted = max(powerOfTwo((connections * headroom + busy - 1) / busy), row?.concurrency ?? lowest)
        let chosen = min(max(wanted, lowest), highest)
        guard let cores, chosen > cores * 8 else { return Chosen(chosen, reason) }
        return Chosen(max(lowest, cores * 8), "\(reason); \(cores) cores carry TLS for no more")
    }

    /// The smallest one that is not less.
    private static func powerOfTwo(_ least: Int) -> Int {
        least <= 1 ? 1 : 1 << (Int.bitWidth - (least - 1).leadingZeroBitCount)
    }

    private static func memoryLimit(
        _ assignment: Assignment, row: TuningMatrix.Row?, install: EngineInstall, facts: NodeFacts,
        weightBytes: UInt64, largestTensor: UInt64?
    ) -> Chosen<Int64> {
        guard !assignment.givenStreamerSettings.contains(.memoryLimit) else {
            return Chosen(assignment.streamerMemoryLimit, "given by the assignment or by the node's settings")
        }
        // Half of what is there, for each rank; the engine needs the rest.
        let share = facts.availableMemory.map { $0 / 2 / UInt64(max(1, assignment.tensorParallelSize)) }
        if install.effectiveVLLM < EngineVersion(0, 22), let share, weightBytes > 0, weightBytes <= share {
            return Chosen(-1, "before vLLM 0.22 a limit below the model's size can corrupt weights; all of it fits")
        }
        var limit = row?.memoryLimit ?? assignment.streamerMemoryLimit
        var reason = row.map { "the guide's row \($0.name)" } ?? "the default"
        if let share, UInt64(limit) > share {
            limit = Int64(clamping: share)
            reason = "half of the memory that is available, for each rank"
        }
        if let largestTensor, UInt64(limit) < largestTensor {
            limit = Int64(clamping: largestTensor)
            reason = "the largest tensor must fit"
        }
        return Chosen(limit, reason)
    }

    private static func timeout(link: LinkExpectation?) -> Chosen<Int> {
        guard let link, link.speed < 1e9 else {
            return Chosen(30_000, "connections that wait their turn on a shared link are not dead")
        }
        return Chosen(60_000, "below 1 Gbit/s, hundreds of connections wait long for their turn")
    }
}
