internal import AgentCore
internal import AgentTestKit
internal import Testing

@Suite("Streaming fitted to link, machine and model")
struct StreamerTuningTests {
    private static func store(bytes: UInt64, firstByte: Double? = 0.06, tensor: UInt64 = 1 << 30) -> ObservedStore {
        let object = StoredObject(name: "model.safetensors", bytes: bytes)
        var store = ObservedStore(
            endpoint: "https://store.test", bucket: "b", prefix: "p/", listing: .objects([object], isComplete: true))
        store.firstByteSeconds = firstByte
        let header = ShardHeader(headerBytes: 8, dataBytes: bytes - 8, tensors: 1, largestTensorBytes: tensor)
        store.shards = [object.name: .found(header)]
        return store
    }

    private func tuning(
        _ assignment: Assignment = .sample(), vllm: EngineVersion = EngineVersion(0, 32),
        streamer: EngineVersion? = nil,
        store: ObservedStore = Self.store(bytes: 16_000_000_000), inherited: [String: String] = [:],
        facts change: (inout NodeFacts) -> Void = { _ in }
    ) -> StreamerTuning {
        var facts = NodeFacts()
        facts.cores = 48
        facts.availableMemory = 128 << 30
        change(&facts)
        let install = EngineInstall(executable: "/v", vllm: vllm, streamer: streamer)
        return StreamerTuning(assignment, on: install, facts: facts, store: store, inherited: inherited)
    }

    @Test("Busy connections fill the link at its distance, twice over")
    func bandwidthDelay() {
        // 4.375 GB/s × (60 ms + 8 MiB ÷ 150 MB/s) ÷ 8 MiB = 60.5, ten to a unit: 12.2, and 16 is nearer than 8
        #expect(tuning { $0.linkSpeed = 35e9 }.concurrency.value == 16)
        #expect(tuning { $0.linkSpeed = 31e9 }.concurrency.value == 8)
        #expect(tuning { $0.linkSpeed = 1e9 }.concurrency.value == 8)
        #expect(tuning { $0.linkSpeed = 400e9 }.concurrency.value == 16)
        #expect(tuning(streamer: EngineVersion(0, 13)) { $0.linkSpeed = 25e9 }.concurrency.value == 64)
        let small = tuning(streamer: EngineVersion(0, 13)) {
            $0.linkSpeed = 25e9
            $0.cores = 4
        }
        #expect(small.concurrency.value == 32)
        #expect(small.concurrency.reason.contains("4 cores"))
    }

    @Test("The guide's row is the least, whatever the arithmetic says")
    func row() {
        var assignment = Assignment.sample()
        assignment.gpu = "A100"
        #expect(tuning(assignment) { $0.linkSpeed = 1e9 }.concurrency.value == 32)
        #expect(tuning(assignment).concurrency.reason.contains("A100, 7B"))
    }

    @Test("What somebody has decided is kept, and the reason says so")
    func given() {
        var assignment = Assignment.sample()
        assignment.streamerConcurrency = 5
        assignment.streamerMemoryLimit = 7
        assignment.givenStreamerSettings = [.concurrency, .memoryLimit]
        let tuning = tuning(assignment, inherited: ["RUNAI_STREAMER_CHUNK_BYTESIZE": "5242880"]) {
            $0.linkSpeed = 25e9
            $0.availableMemory = 1
        }
        #expect(tuning.concurrency.value == 5)
        #expect(tuning.memoryLimit.value == 7)
        #expect(tuning.chunkBytes.value == 5_242_880)
        #expect(tuning.memoryLimit.reason.contains("given"))
        #expect(tuning.applied(to: assignment) == assignment)
    }

    @Test("Where neither link nor GPU is known, the defaults stay")
    func unknown() {
        let assignment = Assignment.sample()
        #expect(tuning().applied(to: assignment) == assignment)
    }

    @Test("The memory limit fits the machine, each rank and the largest tensor")
    func memory() {
        #expect(tuning { $0.availableMemory = 4 << 30 }.memoryLimit.value == 2 << 30)
        var parallel = Assignment.sample()
        parallel.tensorParallelSize = 4
        #expect(tuning(parallel) { $0.availableMemory = 16 << 30 }.memoryLimit.value == 2 << 30)
        let large = Self.store(bytes: 16_000_000_000, tensor: 6 << 30)
        #expect(tuning(store: large).memoryLimit.value == 6 << 30)
        #expect(tuning(vllm: EngineVersion(0, 21)).memoryLimit.value == -1)
    }

    @Test("Far stores and large models get larger chunks, thin links more patience")
    func chunks() {
        #expect(tuning().chunkBytes.value == 8 << 20)
        #expect(tuning(store: Self.store(bytes: 16_000_000_000, firstByte: 0.6)).chunkBytes.value == 32 << 20)
        #expect(tuning(store: Self.store(bytes: 141_000_000_000)).chunkBytes.value == 32 << 20)
        #expect(tuning().requestTimeout.value == 30_000)
        #expect(tuning { $0.linkSpeed = 5e8 }.requestTimeout.value == 60_000)
    }

    @Test("The guide's rows are found by GPU, ranks and size, and say what link they need")
    func matrix() throws {
        func row(_ gpu: String?, _ ranks: Int, _ bytes: UInt64) -> String? {
            TuningMatrix.row(gpu: gpu, ranks: ranks, weightBytes: bytes)?.name
        }
        #expect(row("NVIDIA A10G", 1, 14_000_000_000) == "A10G, 7B")
        #expect(row("A100-80GB", 1, 26_000_000_000) == "A100, 13B")
        #expect(row("NVIDIA A100-SXM4-80GB", 1, 141_000_000_000) == "A100, 70B")
        #expect(row("A100", 4, 141_000_000_000) == "4x A100, 70B")
        #expect(row("A1000", 1, 14_000_000_000) == nil)
        #expect(row("H100", 1, 14_000_000_000) == nil)
        #expect(row(nil, 1, 14_000_000_000) == nil)
        #expect(try #require(TuningMatrix.rows.last).gigabitsNeeded.rounded() == 93)
    }

    @Test("Ranks share the reading where vLLM and streamer can, and each reads everything where they cannot")
    func distributed() {
        var assignment = Assignment.sample()
        assignment.tensorParallelSize = 4
        let shared = tuning(assignment, streamer: EngineVersion(0, 17))
        #expect(shared.loading.value == WeightLoading(.streamer, isDistributed: true))
        #expect(shared.copies == 1)
        #expect(shared.memoryLimit.reason.contains("all ranks together"))
        let apart = [
            tuning(assignment, streamer: EngineVersion(0, 14)), tuning(assignment),
            tuning(assignment, vllm: EngineVersion(0, 21), streamer: EngineVersion(0, 17)),
            tuning(assignment, streamer: EngineVersion(0, 17), inherited: ["RUNAI_STREAMER_DIST": "0"]),
            tuning(assignment, streamer: EngineVersion(0, 16)) { $0.availableMemory = 16 << 30 },
        ]
        #expect(apart.allSatisfy { $0.loading.value == WeightLoading(.streamer) && $0.copies == 4 })
        #expect(tuning(streamer: EngineVersion(0, 17)).loading.value == WeightLoading(.streamer))
    }

    @Test("Files for exactly these ranks are read by the sharded loader, whose settings travel in the environment")
    func sharded() {
        let names = (0..<2).flatMap { rank in (0..<3).map { "model-rank-\(rank)-part-\($0).safetensors" } }
        let store = ObservedStore(
            endpoint: "https://store.test", bucket: "b", prefix: "p/",
            listing: .objects(names.map { StoredObject(name: $0, bytes: 1_000) }, isComplete: true))
        var assignment = Assignment.sample()
        assignment.tensorParallelSize = 2
        let fit = tuning(assignment, store: store)
        #expect(fit.loading.value.format == .sharded)
        #expect(fit.copies == 1)
        #expect(fit.weightBytes == 6_000)
        #expect(fit.variables.contains { $0.name == "RUNAI_STREAMER_CONCURRENCY" })
        let command = EngineCommand.arguments(
            for: assignment, on: EngineInstall(executable: "/v"),
            placement: EnginePlacement(address: "::", port: 1, extraArguments: [], drainSeconds: 1),
            loading: fit.loading.value)
        #expect(command.contains("runai_streamer_sharded"))
        #expect(!command.contains("--model-loader-extra-config"))
        assignment.tensorParallelSize = 4
        #expect(tuning(assignment, store: store).loading.value.format == .streamer)
        #expect(tuning(assignment, vllm: EngineVersion(0, 11), store: store).loading.value.format == .streamer)
    }

    @Test("Connections are capped where descriptors would run out, and not elsewhere")
    func connectionCap() {
        let tight = tuning {
            $0.descriptorLimit = 1_200
            $0.linkSpeed = 35e9
        }
        #expect(tight.connectionCap.value == 11)
        #expect(tight.variables.contains { $0.name == "RUNAI_STREAMER_S3_MAX_CONNECTIONS" })
        #expect(tuning { $0.descriptorLimit = 1 << 20 }.connectionCap.value == nil)
        #expect(tuning(inherited: ["RUNAI_STREAMER_S3_MAX_CONNECTIONS": "7"]).connectionCap.value == 7)
    }

    @Test("Without the streamer its settings stay out of the environment, and a download has its connections")
    func downloaded() {
        var assignment = Assignment.sample()
        assignment.useRunaiStreamer = false
        let tuning = tuning(assignment) { $0.linkSpeed = 25e9 }
        #expect(tuning.loading.value == WeightLoading(.files))
        #expect(tuning.variables.isEmpty)
        #expect((8...64).contains(tuning.connections.value))
    }
}
