internal import AgentCore
internal import AgentTestKit
internal import Testing

@Suite struct EngineEnvironmentTests {
    private func variables(_ inherited: [String: String] = [:], version: String = "0.32.0") -> [String: String] {
        let install = EngineInstall(executable: "/opt/vllm/bin/vllm", vllm: EngineVersion(version))
        let all = EngineEnvironment.variables(
            for: .sample(), on: install, inherited: inherited, cacheFolder: "/var/cache/crosslogic")
        return Dictionary(uniqueKeysWithValues: all.map { ($0.name, $0.value.reveal()) })
    }

    @Test("R2 credentials stand under the names boto3 and the streamer read")
    func credentials() {
        let variables = variables()
        #expect(variables["AWS_ENDPOINT_URL"] == "https://account.r2.cloudflarestorage.com")
        #expect(variables["AWS_ACCESS_KEY_ID"] == "canary-access-key")
        #expect(variables["AWS_SECRET_ACCESS_KEY"] == "canary-secret-key")
        #expect(variables["AWS_REGION"] == "auto")
        #expect(variables["AWS_EC2_METADATA_DISABLED"] == "true")
        #expect(variables["RUNAI_STREAMER_S3_USE_VIRTUAL_ADDRESSING"] == "0")
        #expect(variables["RUNAI_STREAMER_S3_REQUEST_TIMEOUT_MS"] == "30000")
        #expect(variables["RUNAI_STREAMER_LOG_TO_STDERR"] == "1")
    }

    @Test(
        "One that waits has all that is read by an import, whether what comes is streamed or not",
        arguments: [true, false])
    func waiting(isStreamed: Bool) {
        let install = EngineInstall(executable: "/opt/vllm/bin/vllm", vllm: EngineVersion(0, 32))
        var assignment = Assignment.sample()
        assignment.useRunaiStreamer = isStreamed
        let wanted = EngineEnvironment.variables(for: assignment, on: install, inherited: [:], cacheFolder: "/cache")
        let parked = EngineEnvironment.variables(beforeAssignmentOn: install, inherited: [:], cacheFolder: "/cache")
        // Named in the launcher's environment.py, with those that are read when they are needed.
        func early(_ variables: [EnvironmentVariable]) -> [String: String] {
            let read = variables.filter { variable in
                variable.name.hasPrefix("RUNAI_STREAMER_LOG_")
                    || !["AWS_", "RUNAI_STREAMER_"].contains { variable.name.hasPrefix($0) }
            }
            return Dictionary(uniqueKeysWithValues: read.map { ($0.name, $0.value.reveal()) })
        }
        #expect(early(wanted) == early(parked))
        #expect(early(parked)["RUNAI_STREAMER_LOG_LEVEL"] == "INFO")
    }

    @Test("The engine inherits what is its own and nothing of the agent's")
    func inheritance() {
        let variables = variables([
            "CROSSLOGIC_NODE_TOKEN": "secret", "R2_SECRET_KEY": "secret", "VLLM_STREAMER_CONCURRENCY": "32",
            "NOTIFY_SOCKET": "/run/x", "PYTHONDONTWRITEBYTECODE": "1", "VLLM_CPU_KVCACHE_SPACE": "1",
            "CUDA_VISIBLE_DEVICES": "0", "HF_HUB_OFFLINE": "0",
        ])
        #expect(!variables.values.contains("secret"))
        #expect(variables["NOTIFY_SOCKET"] == nil)
        #expect(variables["VLLM_STREAMER_CONCURRENCY"] == nil)
        #expect(variables["PYTHONDONTWRITEBYTECODE"] == nil)
        #expect(variables["VLLM_CPU_KVCACHE_SPACE"] == "1")
        #expect(variables["CUDA_VISIBLE_DEVICES"] == "0")
        #expect(variables["HF_HUB_OFFLINE"] == "0")
    }

    @Test(
        "Private authorities, proxies and compiler caches reach the engine",
        arguments: [
            "AWS_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy",
            "https_proxy", "no_proxy", "TRITON_CACHE_DIR", "TORCHINDUCTOR_CACHE_DIR",
        ])
    func reachesEngine(name: String) {
        #expect(variables([name: "here"])[name] == "here")
    }

    @Test("When a checkpoint is kept is known to an engine that waits, and to one that does not")
    func checkpoint() {
        let name = EngineLauncher.checkpointVariable
        let install = EngineInstall(executable: "/opt/vllm/bin/vllm", vllm: EngineVersion(0, 32))
        let parked = EngineEnvironment.variables(
            beforeAssignmentOn: install, inherited: [name: "0.2"], cacheFolder: "/cache")
        #expect(variables([name: "0.2"])[name] == "0.2")
        #expect(parked.first { $0.name == name }?.value.reveal() == "0.2")
        #expect(variables()[name] == nil)
    }

    @Test("What the node says about the streamer wins over the defaults, never over the store")
    func streamerSettings() {
        let variables = variables([
            "RUNAI_STREAMER_S3_REQUEST_TIMEOUT_MS": "90000", "RUNAI_STREAMER_S3_ENDPOINT": "http://elsewhere.test",
        ])
        #expect(variables["RUNAI_STREAMER_S3_REQUEST_TIMEOUT_MS"] == "90000")
        #expect(variables["RUNAI_STREAMER_S3_ENDPOINT"] == "https://account.r2.cloudflarestorage.com")
        #expect(variables["RUNAI_STREAMER_LOG_LEVEL"] == "INFO")
    }

    @Test("vLLM 0.18 is not told to be offline: it would take the bucket for a hub name")
    func offline() {
        #expect(variables(version: "0.18.1")["HF_HUB_OFFLINE"] == nil)
        #expect(variables(version: "0.32.0")["HF_HUB_OFFLINE"] == "1")
    }

    @Test("The interpreter's own folder comes first in PATH, for ninja")
    func path() {
        #expect(variables()["PATH"]?.hasPrefix("/opt/vllm/bin:") == true)
        #expect(variables(["PATH": "/bin"])["PATH"] == "/opt/vllm/bin:/bin")
    }

    @Test("Secrets cannot be printed by accident")
    func secrets() {
        let secret = Secret("canary")
        var dumped = ""
        dump(secret, to: &dumped)
        for text in ["\(secret)", String(reflecting: secret), String(describing: [secret]), dumped] {
            #expect(!text.contains("canary"))
        }
        #expect(!"\(Assignment.sample())".contains("canary"))
    }
}
