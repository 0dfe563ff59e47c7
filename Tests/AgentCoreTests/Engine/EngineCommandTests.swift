internal import AgentCore
internal import AgentTestKit
internal import Testing

@Suite struct EngineCommandTests {
    private let placement = EnginePlacement(address: "0.0.0.0", port: 8000, extraArguments: [], drainSeconds: 30)

    private func arguments(_ version: String, _ change: (inout Assignment) -> Void = { _ in }) -> [String] {
        var assignment = Assignment.sample()
        change(&assignment)
        let install = EngineInstall(executable: "/opt/vllm/bin/vllm", vllm: EngineVersion(version))
        return EngineCommand.arguments(for: assignment, on: install, placement: placement)
    }

    @Test("The documents' command line, for the newest engine")
    func newest() {
        #expect(
            arguments("0.32.0+cpu") == [
                "serve", "s3://crosslogic-models/acme/tiny-llama", "--load-format", "runai_streamer",
                "--model-loader-extra-config", #"{"concurrency":32,"memory_limit":5368709120}"#,
                "--served-model-name", "acme/tiny-llama", "--gpu-memory-utilization", "0.95", "--dtype", "bfloat16",
                "--tensor-parallel-size", "1", "--enable-chunked-prefill", "--disable-log-stats",
                "--enable-server-load-tracking", "--shutdown-timeout", "30", "--host", "0.0.0.0", "--port", "8000",
            ])
    }

    @Test(
        "Flags follow the installed version",
        arguments: [
            ("0.8.5.post2", "--shutdown-timeout", false), ("0.17.1", "--shutdown-timeout", false),
            ("0.18.0", "--shutdown-timeout", true), ("0.10.0", "--disable-log-requests", true),
            ("0.10.1", "--disable-log-requests", false), ("0.33.0rc1", "--disable-log-requests", false),
        ])
    func versionedFlags(version: String, flag: String, isThere: Bool) {
        #expect(arguments(version).contains(flag) == isThere)
    }

    @Test(
        "Requests in flight can be counted on a spot machine, in one way or the other",
        arguments: [("0.17.1", true, false, false), ("0.18.0", true, true, true), ("0.32.0", false, true, false)])
    func counted(version: String, isSpot: Bool, withoutStatistics: Bool, tracksLoad: Bool) {
        let arguments = arguments(version) { $0.useSpot = isSpot }
        #expect(arguments.contains("--disable-log-stats") == withoutStatistics)
        #expect(arguments.contains("--enable-server-load-tracking") == tracksLoad)
        #expect(EngineCommand.tracksLoad(arguments) == tracksLoad)
    }

    @Test(
        "An unlimited buffer goes into the environment where vLLM refuses it as an argument",
        arguments: [
            ("0.22.0", true), ("0.23.0", false), ("0.24.1", false), ("0.25.0", true),
        ])
    func unlimitedBuffer(version: String, isArgument: Bool) {
        let config = arguments(version) { $0.streamerMemoryLimit = -1 }[5]
        #expect(config.contains("memory_limit") == isArgument)
        var assignment = Assignment.sample()
        assignment.streamerMemoryLimit = -1
        let install = EngineInstall(executable: "/opt/vllm/bin/vllm", vllm: EngineVersion(version))
        let names = EngineEnvironment.variables(for: assignment, on: install, inherited: [:], cacheFolder: "/c").map(
            \.name)
        #expect(names.contains("RUNAI_STREAMER_MEMORY_LIMIT") == !isArgument)
    }

    @Test("No secret of the assignment is among the arguments")
    func noSecrets() {
        #expect(!arguments("0.32.0").joined(separator: " ").contains("canary"))
    }

    @Test(
        "Versions compare by number, not by text",
        arguments: [
            ("0.9.2", "0.10.0"), ("0.10.0", "0.10.1"), ("0.8.5", "0.8.5.post2"), ("0.32.0rc1", "0.32.1"),
        ])
    func versions(older: String, newer: String) throws {
        let (older, newer) = (try #require(EngineVersion(older)), try #require(EngineVersion(newer)))
        #expect(older <= newer)
        #expect(!(newer < older))
        #expect(EngineVersion("0.32.0+cpu") == EngineVersion(0, 32))
        #expect(EngineVersion("unknown") == nil)
    }

    @Test("Versions are read off the names of package metadata")
    func installedVersions() {
        var install = EngineInstall(executable: "/opt/vllm/bin/vllm")
        install.read(sitePackages: [
            "vllm", "vllm-0.32.0+cpu.dist-info", "runai_model_streamer-0.17.0.dist-info",
            "runai_model_streamer_s3-0.16.0.dist-info",
        ])
        #expect(install.vllm == EngineVersion(0, 32))
        #expect(install.streamer == EngineVersion(0, 17))
    }
}
