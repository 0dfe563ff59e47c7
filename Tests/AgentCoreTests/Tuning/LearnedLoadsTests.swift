internal import AgentCore
internal import AgentTestKit
internal import Testing

@Suite("What earlier loads mean for the next")
struct LearnedLoadsTests {
    private func chosen(
        _ loads: [(Int, Double)], highest: Int? = nil, megabits: Double = 10_000, cores: Int = 64
    ) -> Chosen<Int> {
        var facts = NodeFacts()
        facts.linkSpeed = megabits * 1e6
        facts.cores = cores
        var store = ObservedStore(
            endpoint: "e", bucket: "b", prefix: "p/",
            listing: .objects([StoredObject(name: "m.safetensors", bytes: 16_000_000_000)], isComplete: true))
        store.firstByteSeconds = 0.02
        let learned = LearnedLoads(
            loads: loads.map { MeasuredLoad(concurrency: $0.0, bytesPerSecond: $0.1 * 1e6) },
            highestConcurrency: highest)
        return StreamerTuning(
            .sample(), on: EngineInstall(executable: "/v", vllm: EngineVersion(0, 32), streamer: EngineVersion(0, 17)),
            facts: facts, store: store, learned: learned
        ).concurrency
    }

    @Test("The best measured one is used, the lowest of those that are as good")
    func best() {
        #expect(chosen([(8, 1200), (16, 1210), (32, 1190)]).value == 8)
        #expect(chosen([(8, 500), (16, 1200), (32, 1190)]).value == 16)
        #expect(chosen([(8, 1200)]).reason.contains("measured"))
    }

    @Test("While the link is idle, twice as much is tried, once")
    func exploring() {
        #expect(chosen([(16, 500)]).value == 32)
        #expect(chosen([(16, 500), (32, 510)]).value == 16)
        #expect(chosen([(16, 500)], cores: 2).value == 16)
    }

    @Test("One lucky load does not decide: medians do")
    func medians() {
        #expect(chosen([(8, 1100), (16, 900), (16, 3000), (16, 910), (8, 1090)]).value == 8)
    }

    @Test("After a failure nothing goes above the step down, and the reason says so")
    func steppedDown() {
        let chosen = chosen([(32, 1200)], highest: 16)
        #expect(chosen.value == 16)
        #expect(chosen.reason.contains("stepped down"))
        #expect(self.chosen([], highest: 4).value == 4)
    }

    @Test("What the assignment gives is kept, whatever was learned")
    func given() {
        var assignment = Assignment.sample()
        assignment.givenStreamerSettings = [.concurrency, .memoryLimit]
        assignment.streamerConcurrency = 3
        let learned = LearnedLoads(
            loads: [MeasuredLoad(concurrency: 64, bytesPerSecond: 1e9)], highestMemoryLimit: 1 << 20)
        let tuning = StreamerTuning(
            assignment, on: EngineInstall(executable: "/v"), facts: NodeFacts(), store: nil, learned: learned)
        #expect(tuning.concurrency.value == 3)
        #expect(tuning.memoryLimit.value == 5_368_709_120)
    }

    @Test("Lessons are bounded, and of several steps down the lowest counts")
    func bounded() {
        var history = LoadHistory()
        for model in 0..<200 {
            let key = LoadKey(model: "m\(model)", gpu: "g", region: "r")
            for load in 0..<20 {
                history.take(.measured(MeasuredLoad(concurrency: load + 1, bytesPerSecond: 1)), for: key)
            }
        }
        #expect(history.entries.count == LoadHistory.keyLimit)
        #expect(history.entries.allSatisfy { $0.learned.loads.count == LearnedLoads.loadLimit })
        var learned = LearnedLoads()
        learned.take(
            .steppedDown([
                SettingChange(setting: .memoryLimit, from: -1, to: 5 << 30),
                SettingChange(setting: .concurrency, from: 32, to: 16),
            ]))
        learned.take(.steppedDown([SettingChange(setting: .concurrency, from: 16, to: 8)]))
        #expect(learned.highestConcurrency == 8)
        #expect(learned.highestMemoryLimit == 5 << 30)
    }
}
