internal import AgentCore
internal import AgentTestKit
internal import Locking
internal import Testing

@testable internal import AgentRuntime

@Suite("GPU memory", .timeLimit(.minutes(1)))
struct GPUWatchTests {
    private static func memory(_ mebibytes: UInt64, heldBy pid: Int32? = nil) -> GPULook {
        let holders = pid.map { [GPUMemory.Holder(pid: $0, bytes: mebibytes << 20)] } ?? []
        return .seen(GPUMemory(used: mebibytes << 20, total: 81559 << 20, holders: holders))
    }

    /// An engine that was started, looked at as often as there are looks, and ended.
    private func life(_ watch: GPUWatch, _ meter: StandInGPUMeter, isAdopted: Bool = false) async {
        await watch.watch(isAdopted: isAdopted) { meter.looksLeft == 0 }
        watch.engineEnded()
    }

    private func watch(_ meter: StandInGPUMeter, _ log: CollectingLog) -> GPUWatch {
        GPUWatch(meter, log: log, between: .zero, untilBack: .zero)
    }

    @Test("While an engine starts, what the GPUs hold is known; once it has ended, it is not")
    func start() async {
        let meter = StandInGPUMeter([Self.memory(300), Self.memory(20000)])
        let watch = watch(meter, CollectingLog())
        await watch.watch(isAdopted: false) { meter.looksLeft == 0 }
        #expect(watch.usedBytes == 20000 << 20)
        watch.engineEnded()
        #expect(watch.usedBytes == nil)
    }

    @Test("The next start waits until the memory is free, and says that it is")
    func back() async {
        let meter = StandInGPUMeter([Self.memory(300), Self.memory(40000)])
        let log = CollectingLog()
        let watch = watch(meter, log)
        await life(watch, meter)
        meter.say([Self.memory(40000), Self.memory(12000), Self.memory(310)])
        await watch.settle()
        #expect(meter.looksLeft == 0)
        #expect(log.lines.map { $0.contains("is free again: 310 of 81559 MiB") } == [true])
    }

    @Test("Memory that stays away is told with who holds it, and is not waited for any longer")
    func away() async {
        let meter = StandInGPUMeter([Self.memory(300)])
        let log = CollectingLog()
        let watch = watch(meter, log)
        await life(watch, meter)
        meter.say([GPULook](repeating: Self.memory(40000, heldBy: 4711), count: 9))
        await watch.settle()
        #expect(meter.looksLeft == 4)
        #expect(log.lines.count == 1)
        #expect(log.lines[0].contains("is not free yet"))
        #expect(log.lines[0].contains("300 MiB before it was started, held by pid 4711"))
    }

    @Test("Of an engine that was found running, nobody knows what was free before it: no process may hold anything")
    func adopted() async {
        let meter = StandInGPUMeter([Self.memory(40000, heldBy: 4711)])
        let log = CollectingLog()
        let watch = watch(meter, log)
        await life(watch, meter, isAdopted: true)
        meter.say([Self.memory(40000, heldBy: 4711), Self.memory(900)])
        await watch.settle()
        #expect(meter.looksLeft == 0)
        #expect(log.lines.map { $0.contains("is free again") } == [true])
    }

    @Test("Without a GPU there is one word about it, and no second look at a start")
    func notThere() async {
        let meter = StandInGPUMeter([.notThere, Self.memory(1)])
        let log = CollectingLog()
        let watch = watch(meter, log)
        await watch.watch(isAdopted: false) { false }
        #expect(meter.looksLeft == 1)
        meter.say([.notThere])
        watch.engineEnded()
        await watch.settle()
        #expect(log.lines == ["no GPU, or no nvidia-smi to ask: GPU memory is not looked at"])
        #expect(watch.usedBytes == nil)
    }

    @Test("A driver that does not answer is told once, holds up nothing and proves nothing")
    func silent() async {
        let meter = StandInGPUMeter([.failed, .failed, .failed])
        let log = CollectingLog()
        let watch = watch(meter, log)
        await life(watch, meter)
        meter.say([.failed, Self.memory(1)])
        await watch.settle()
        #expect(meter.looksLeft == 1)
        #expect(log.lines.count == 1)
        #expect(log.lines[0].contains("nvidia-smi fails, hangs"))
    }

    @Test("Where no engine has ended, nothing is looked at before a start")
    func nothingOwed() async {
        let meter = StandInGPUMeter([Self.memory(1)])
        await watch(meter, CollectingLog()).settle()
        #expect(meter.looksLeft == 1)
    }
}

/// Says what the test has told it, and then that it failed.
private final class StandInGPUMeter: GPUMeter {
    private let looks: Mutex<[GPULook]>

    init(_ looks: [GPULook]) { self.looks = Mutex(looks) }

    var looksLeft: Int { looks.withLock { $0.count } }

    func say(_ looks: [GPULook]) { self.looks.withLock { $0 = looks } }

    func look() async -> GPULook {
        looks.withLock { $0.isEmpty ? .failed : $0.removeFirst() }
    }
}
