internal import AgentCore
internal import AgentTestKit
internal import Testing

@Suite("What a machine means for a start")
struct NodeJudgeTests {
    private static let install = EngineInstall(
        executable: "/opt/vllm/bin/vllm", vllm: EngineVersion(0, 32), streamer: EngineVersion(0, 17))

    private func troubles(
        _ assignment: Assignment = .sample(), _ install: EngineInstall = Self.install, arguments: [String] = [],
        weightBytes: UInt64? = nil, _ change: (inout NodeFacts) -> Void = { _ in }
    ) -> [PreflightCheck] {
        var facts = NodeFacts()
        change(&facts)
        let findings = NodeJudge(
            facts, install: install, assignment: assignment, arguments: arguments, weightBytes: weightBytes
        ).findings()
        #expect(!findings.contains { $0.level == .fatal })
        return findings.filter { $0.level == .warn }.map(\.check)
    }

    @Test("A machine that tells nothing is not blamed for anything")
    func silent() {
        #expect(troubles() == [])
    }

    @Test("Versions that are unknown, unexpected, too old or not there are told")
    func versions() {
        #expect(troubles(.sample(), EngineInstall(executable: "/v")) == [.engine, .streamer])
        var expecting = Assignment.sample()
        expecting.vllmVersion = "0.32.0"
        #expect(troubles(expecting) == [])
        expecting.vllmVersion = "0.31"
        #expect(troubles(expecting) == [.engine])
        var old = Self.install
        old.vllm = EngineVersion(0, 21)
        #expect(troubles(.sample(), old) == [.engine])
    }

    @Test("Flags that this vLLM does not have are told, whatever their spelling")
    func flags() {
        #expect(troubles(arguments: ["serve", "x", "--swap_space=4", "--task", "generate", "--new-one"]).count == 2)
        var old = Self.install
        old.vllm = EngineVersion(0, 17)
        #expect(EngineFlags.unknown(in: ["--shutdown-timeout"], to: EngineVersion(0, 17)).count == 1)
        #expect(EngineFlags.unknown(in: ["--swap-space"], to: EngineVersion(0, 17)) == [])
    }

    @Test("The agent's own arguments are known to every version it renders them for", arguments: 6...33)
    func ownArguments(_ minor: Int) {
        var install = Self.install
        install.vllm = EngineVersion(0, minor)
        let placement = EnginePlacement(address: "::", port: 1, extraArguments: [], drainSeconds: 1)
        let arguments = EngineCommand.arguments(for: .sample(), on: install, placement: placement)
        #expect(EngineFlags.unknown(in: arguments, to: EngineVersion(0, minor)) == [])
    }

    @Test("Descriptors, memory and disk are held against what the start will use")
    func limits() {
        #expect(troubles { $0.descriptorLimit = 1024 } == [.descriptors])
        #expect(troubles { $0.descriptorLimit = 4096 } == [])
        #expect(troubles { $0.availableMemory = 4 << 30 } == [.memory])
        #expect(troubles(weightBytes: 1 << 30) { $0.availableMemory = 4 << 30 } == [])
        var parallel = Assignment.sample()
        parallel.tensorParallelSize = 4
        #expect(troubles(parallel) { $0.availableMemory = 16 << 30 } == [.memory])
        var unlimited = Assignment.sample()
        unlimited.streamerMemoryLimit = -1
        #expect(troubles(unlimited, weightBytes: 16 << 30) { $0.availableMemory = 8 << 30 } == [.memory])
        #expect(troubles { $0.freeDisk = 1 << 30 } == [.disk])
    }

    @Test("GPUs that are too few, missing, or behind an old driver are told")
    func gpus() {
        var parallel = Assignment.sample()
        parallel.tensorParallelSize = 2
        #expect(troubles(parallel) { $0.gpuDevices = 1 } == [.gpu])
        #expect(
            troubles {
                $0.gpuDevices = 1
                $0.driver = EngineVersion("570.86.15")
            } == [.gpu])
        var wanting = Assignment.sample()
        wanting.gpu = "A100"
        #expect(troubles(wanting) == [.gpu])
        #expect(troubles(wanting) { $0.seesGPUs = false } == [])
    }

    @Test("The link sets a bound that no software beats")
    func link() throws {
        var facts = NodeFacts()
        facts.cores = 16
        let bytes: UInt64 = 16_060_522_496
        #expect(LinkExpectation(facts, provider: nil, bytes: bytes) == nil)
        let aws = try #require(LinkExpectation(facts, provider: "aws", bytes: bytes))
        let finding = aws.finding(weightBytes: bytes, ranks: 1, target: LoadTarget(weightBytes: bytes))
        #expect(finding.level == .warn)
        #expect(finding.message.contains("16.1 GB over a 5 Gbit/s link"))
        #expect(finding.message.contains("not below 25.7 s; the 10 s target cannot be met"))
        facts.linkSpeed = 100e9
        facts.cores = 96
        #expect(LinkExpectation(facts, provider: "aws", bytes: bytes)?.speed == 50e9)
        #expect(LinkExpectation(facts, provider: "gcp", bytes: bytes)?.speed == 100e9)
    }

    @Test("Reads the kernel's texts, and takes nothing from others")
    func kernelTexts() {
        #expect(KernelText.availableMemory("MemTotal: 9 kB\nMemAvailable:   2048 kB\n") == 2 << 20)
        #expect(KernelText.cores("0-15,32-47\n") == 32)
        #expect(KernelText.cores("0\n") == 1)
        #expect(
            KernelText.descriptorLimit("Limit  Soft  Hard\nMax open files            1024           524288    files \n")
                == 524_288)
        #expect(
            KernelText.defaultInterface(
                "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\n"
                    + "eth1\t0000A8C0\t00000000\t1\t0\t0\t0\t00FFFFFF\t0\n"
                    + "eth0\t00000000\t0100A8C0\t3\t0\t0\t0\t00000000\t0\n") == "eth0")
        #expect(KernelText.linkSpeed("25000\n") == 25e9)
        #expect(KernelText.linkSpeed("-1\n") == nil)
        #expect(
            KernelText.driver(
                "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.65.06  Release Build\nGCC version: 13.3.0"
            )
                == EngineVersion("580.65.06"))
        #expect(
            KernelText.driver("NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.54.03  Tue Jun  6\n")
                == EngineVersion("535.54.03"))
        #expect(KernelText.gpuDevices(["nvidia0", "nvidia11", "nvidiactl", "nvidia-uvm", "null"]) == 2)
        #expect(KernelText.gpuModel("Model: \t\t NVIDIA A10G\nIRQ: 1") == "NVIDIA A10G")
        for nonsense in ["", "\n", "-", "Max open files", "MemAvailable:", "9-1", "Model:"] {
            #expect(KernelText.availableMemory(nonsense) == nil)
            #expect(KernelText.cores(nonsense) == nil)
            #expect(KernelText.descriptorLimit(nonsense) == nil)
            #expect(KernelText.gpuModel(nonsense) == nil)
        }
    }
}
