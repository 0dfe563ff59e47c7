internal import AgentCore
internal import AgentTestKit
internal import Testing

@Suite struct EngineLauncherTests {
    static let install = {
        var install = EngineInstall(executable: "/e/bin/vllm", vllm: EngineVersion(0, 32))
        install.interpreter = "/e/bin/python3"
        return install
    }()

    @Test("Both command lines run the launcher in vLLM's own interpreter")
    func commands() throws {
        let launcher = try #require(
            EngineLauncher(for: Self.install, folder: "/l", records: "/c/launcher", socket: "/r/standby.sock"))
        #expect(launcher.executable == "/e/bin/python3")
        let own = ["--vllm", "/e/bin/vllm", "--state", "/c/launcher"]
        #expect(launcher.serving(["serve", "m"]) == ["/l", "preload"] + own + ["--", "serve", "m"])
        #expect(launcher.waiting == ["/l", "park"] + own + ["--socket", "/r/standby.sock"])
    }

    @Test("A vLLM that is no Python script is started as it is")
    func noScript() {
        let install = EngineInstall(executable: "/e/bin/vllm")
        #expect(EngineLauncher(for: install, folder: "/l", records: "/c", socket: "/s") == nil)
    }

    @Test("A checkpoint goes with the first start that no later one is restored from it")
    func uselessCheckpoint() throws {
        let launcher = try #require(
            EngineLauncher(for: Self.install, folder: "/l", records: "/c/launcher", socket: "/r/standby.sock"))
        let cache = ["CACHE_DIRECTORY": "/c"]
        let off = cache.merging([EngineLauncher.checkpointVariable: "off"]) { $1 }
        let plain = ["/e/bin/vllm", "serve", "park"]
        for own in [launcher.waiting, launcher.serving(["serve", "m"])] {
            let command = [launcher.executable] + own
            #expect(EngineLauncher.uselessCheckpoint(executing: command, cache) == nil)
            #expect(EngineLauncher.uselessCheckpoint(executing: command, off) == "/c/launcher/checkpoint")
        }
        #expect(EngineLauncher.uselessCheckpoint(executing: plain, cache) == "/c/launcher/checkpoint")
        #expect(EngineLauncher.uselessCheckpoint(executing: plain, [:]) == nil)
    }

    @Test("An engine that waits has all of the node's environment but what is secret")
    func environment() {
        let inherited = [
            "HF_TOKEN": "secret", "VLLM_API_KEY": "secret", "HTTPS_PROXY": "http://user:secret@proxy:1",
            "HTTP_PROXY": "http://proxy:1", "HF_TOKEN_PATH": "/t", "VLLM_LOGGING_LEVEL": "DEBUG", "OTHER": "x",
        ]
        let variables = EngineEnvironment.variables(
            beforeAssignmentOn: Self.install, inherited: inherited, cacheFolder: "/c")
        let values = Dictionary(uniqueKeysWithValues: variables.map { ($0.name, $0.value.reveal()) })
        #expect(!values.values.contains { $0.contains("secret") })
        #expect(values["HF_TOKEN_PATH"] == "/t")
        #expect(values["HTTP_PROXY"] == "http://proxy:1")
        #expect(values["VLLM_LOGGING_LEVEL"] == "DEBUG")
        #expect(values["OTHER"] == nil)
    }

    @Test("What an assignment adds to that is read late: credentials, endpoint, the streamer's settings")
    func difference() {
        func named(_ variables: [EnvironmentVariable]) -> [String: String] {
            Dictionary(uniqueKeysWithValues: variables.map { ($0.name, $0.value.reveal()) })
        }
        let before = named(
            EngineEnvironment.variables(beforeAssignmentOn: Self.install, inherited: [:], cacheFolder: "/c"))
        let after = named(
            EngineEnvironment.variables(for: .sample(), on: Self.install, inherited: [:], cacheFolder: "/c"))
        let differing = Set(before.keys).union(after.keys).filter { before[$0] != after[$0] }
        #expect(differing.allSatisfy { $0.hasPrefix("AWS_") || $0.hasPrefix("RUNAI_STREAMER_") })
        #expect(before["RUNAI_STREAMER_LOG_LEVEL"] == after["RUNAI_STREAMER_LOG_LEVEL"])
    }
}
