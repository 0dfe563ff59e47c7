internal import AgentCore
internal import AgentTestKit
internal import Testing

@Suite("What makes starts shorter")
struct StartSavingTests {
    private func install(cpu: Bool) -> EngineInstall {
        var install = EngineInstall(executable: "/opt/vllm/bin/vllm", vllm: EngineVersion(0, 32))
        install.isCPUBuild = cpu
        return install
    }

    @Test("On by itself is only what was measured, on the build it was measured on")
    func defaults() {
        let nothing = StartSaving.Wishes()
        #expect(nothing.savings(for: .sample(), on: install(cpu: true), node: []) == [.inductorCache])
        #expect(nothing.savings(for: .sample(), on: install(cpu: false), node: []) == [])
        // Told to an engine that waits, too, which does not know yet whether anything will be compiled.
        #expect(nothing.savings(for: .sample(), on: install(cpu: true), node: ["--enforce-eager"]) == [.inductorCache])
    }

    @Test("Each can be turned on where it applies, and off")
    func wishes() {
        var wishes = StartSaving.Wishes()
        wishes.on = Set(StartSaving.allCases)
        let node = ["--max-num-seqs", "20"]
        #expect(
            wishes.savings(for: .sample(), on: install(cpu: false), node: node)
                == [.startupPlan, .captureSizes, .noPlugins])
        wishes.off = Set(StartSaving.allCases)
        #expect(wishes.savings(for: .sample(), on: install(cpu: false), node: node) == [])
    }

    @Test("Graphs are captured for as many sequences as are served, and the command says so")
    func captureSizes() {
        var placement = EnginePlacement(
            address: "::", port: 8000, extraArguments: ["--max-num-seqs=20"], drainSeconds: 30)
        placement.savings.on = [.captureSizes]
        let arguments = EngineCommand.arguments(for: .sample(), on: install(cpu: false), placement: placement)
        #expect(
            arguments.suffix(8) == ["--cudagraph-capture-sizes", "1", "2", "4", "8", "16", "20", "--max-num-seqs=20"])
    }

    @Test("What the node sets itself wins")
    func nodeWins() {
        let variables = EngineEnvironment.variables(
            for: .sample(), on: install(cpu: true), inherited: ["VLLM_USE_AOT_COMPILE": "1"], cacheFolder: "/cache",
            savings: [.inductorCache])
        #expect(variables.first { $0.name == "VLLM_USE_AOT_COMPILE" }?.value.reveal() == "1")
        #expect(
            variables.first { $0.name == "TORCHINDUCTOR_CACHE_DIR" }?.value.reveal()
                == "/cache/vllm/torch_compile_cache/inductor")
    }
}
