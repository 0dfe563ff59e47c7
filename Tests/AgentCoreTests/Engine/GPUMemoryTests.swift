internal import Testing

@testable internal import AgentCore

struct GPUMemoryTests {
    private static let mebibyte: UInt64 = 1 << 20

    @Test("What nvidia-smi says of each GPU is added up, and who holds something is named")
    func answer() {
        let look = GPULook(lines: ["gpu 40321, 81559", "gpu 0, 81559", "process 4711, 40000", "process 4712, 321"])
        let holders = [
            GPUMemory.Holder(pid: 4711, bytes: 40000 * Self.mebibyte),
            GPUMemory.Holder(pid: 4712, bytes: 321 * Self.mebibyte),
        ]
        #expect(
            look
                == .seen(
                    GPUMemory(used: 40321 * Self.mebibyte, total: 2 * 81559 * Self.mebibyte, holders: holders)))
    }

    @Test("A driver that does not tell what a process holds names it nevertheless")
    func unknownShare() {
        let look = GPULook(lines: ["gpu 10, 100", "process 7, [N/A]", "process [Not Found], 5"])
        let holders = [GPUMemory.Holder(pid: 7, bytes: nil)]
        #expect(look == .seen(GPUMemory(used: 10 * Self.mebibyte, total: 100 * Self.mebibyte, holders: holders)))
    }

    @Test("Where nothing could look, nothing is claimed")
    func notThere() {
        #expect(GPULook(lines: ["none"]) == .notThere)
    }

    @Test(
        "An answer that makes no sense is none",
        arguments: [
            [], ["gpu"], ["gpu ,"], ["gpu 1"], ["gpu 1, 2, 3"], ["gpu 3, 2"], ["gpu -1, 2"], ["gpu [N/A], [N/A]"],
            ["gpu 99999999999999999999, 99999999999999999999"], ["gpu 1099511627776, 1099511627776"],
            ["gpu NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver."],
            ["none", "none"], ["process 1, 1"], ["\u{0}\u{FFFD}"],
        ])
    func garbage(lines: [String]) {
        #expect(GPULook(lines: lines) == .failed)
    }

    @Test("More lines than any machine has are not read")
    func flood() {
        let flood = [String](repeating: "process 1, 1", count: 1 << 16)
        guard case .seen(let memory) = GPULook(lines: ["gpu 1, 2"] + flood) else {
            Issue.record("the first line says it")
            return
        }
        #expect(memory.holders.count == 1023)
    }

    @Test(
        "Memory is back when as much is used as before the engine was started, but for the driver's own few megabytes",
        arguments: [(300, true), (500, true), (600, false), (40000, false)] as [(UInt64, Bool)])
    func back(used: UInt64, isBack: Bool) {
        let before = GPUMemory(used: 300 * Self.mebibyte, total: 81559 * Self.mebibyte)
        let now = GPUMemory(used: used * Self.mebibyte, total: before.total)
        #expect(now.isBack(to: before) == isBack)
    }

    @Test("Where it is not known what was used before, a process that holds something is in the way")
    func backFromUnknown() {
        let empty = GPUMemory(used: 900 * Self.mebibyte, total: 81559 * Self.mebibyte)
        #expect(empty.isBack(to: nil))
        var held = empty
        held.holders = [GPUMemory.Holder(pid: 1, bytes: nil)]
        #expect(!held.isBack(to: nil))
    }
}
