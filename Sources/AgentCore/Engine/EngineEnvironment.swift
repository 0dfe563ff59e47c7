/// The engine's whole environment: the store's credentials, and what makes vLLM quiet, offline and explicit.
package enum EngineEnvironment {
    /// Variables of the agent's own environment that an engine may need. Everything else stays with the agent.
    package static let inheritedPrefixes = [
        "VLLM_", "HF_", "CUDA_", "NVIDIA_", "NCCL_", "OMP_", "LD_", "TORCH_", "TORCHINDUCTOR_", "TRITON_",
        "RUNAI_STREAMER_",
    ]
    package static let inheritedNames: Set<String> = [
        "PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "USER", EngineLauncher.checkpointVariable,
        // Private authorities and proxies: boto3 and the streamer reach the store as the agent does.
        "AWS_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR",
        "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy",
    ]
    /// Names the agent reads itself; vLLM would warn about them.
    package static let agentNames: Set<String> = [
        "VLLM_USE_RUNAI_STREAMER", "VLLM_STREAMER_CONCURRENCY", "VLLM_STREAMER_MEMORY_LIMIT", "VLLM_GPU_MEMORY_UTIL",
    ]

    /// `inherited` is the agent's own environment. `cacheFolder` is absolute and the same on every node: paths are
    /// part of the compile cache's key. `tuned` and the savings yield to what the node sets itself.
    package static func variables(
        for assignment: Assignment, on install: EngineInstall, inherited: [String: String], cacheFolder: String,
        loading: WeightLoading? = nil, tuned: [EnvironmentVariable] = [], savings: [StartSaving] = []
    ) -> [EnvironmentVariable] {
        var variables: [String: Secret] = [:]
        for (name, value) in inherited where isInherited(name) { variables[name] = Secret(value) }
        // torch.compile looks for ninja beside the interpreter.
        variables["PATH"] = Secret(path(inherited: inherited["PATH"], executable: install.executable))
        var defaults = defaults(cacheFolder: cacheFolder)
        defaults += assignment.isOnHub ? hub(install) : offline(install.effectiveVLLM)
        defaults += savings.flatMap { $0.environment(cacheFolder: cacheFolder) } + streamerLog
        if assignment.useRunaiStreamer {
            defaults += tuned + streamerDefaults
            // The sharded loader has its limit among `tuned`.
            if loading?.format != .sharded, let limit = streamerMemoryLimit(assignment, version: install.effectiveVLLM)
            {
                variables[limit.name] = limit.value
            }
        }
        for variable in defaults where variables[variable.name] == nil { variables[variable.name] = variable.value }
        if assignment.modelURI.hasPrefix("s3://") {
            for variable in credentials(assignment.store) { variables[variable.name] = variable.value }
        }
        return variables.sorted { $0.key < $1.key }.map { EnvironmentVariable($0.key, $0.value) }
    }

    /// The same for an engine that waits for an assignment: all of the node's own, and no secret.
    package static func variables(
        beforeAssignmentOn install: EngineInstall, inherited: [String: String], cacheFolder: String,
        savings: StartSaving.Wishes = StartSaving.Wishes()
    ) -> [EnvironmentVariable] {
        var variables: [String: String] = [:]
        for (name, value) in inherited where isInherited(name) && !isSecret(name, value) { variables[name] = value }
        variables["PATH"] = path(inherited: inherited["PATH"], executable: install.executable)
        var defaults = defaults(cacheFolder: cacheFolder) + offline(install.effectiveVLLM)
        defaults += savings.savings(on: install, arguments: []).flatMap { $0.environment(cacheFolder: cacheFolder) }
        defaults += streamerDefaults + streamerLog
        for variable in defaults where variables[variable.name] == nil {
            variables[variable.name] = variable.value.reveal()
        }
        return variables.sorted { $0.key < $1.key }.map { EnvironmentVariable($0.key, $0.value) }
    }

    /// Proxies can carry a password in their address.
    private static func isSecret(_ name: String, _ value: String) -> Bool {
        let words: Set<Substring> = ["KEY", "KEYS", "SECRET", "TOKEN", "PASSWORD", "CREDENTIAL", "CREDENTIALS"]
        let parts = name.split(separator: "_")
        return value.contains("@") || (parts.contains { words.contains($0) } && parts.last != "PATH")
    }

    private static func path(inherited: String?, executable: String) -> String {
        let standard = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        let folder = executable.split(separator: "/").dropLast().joined(separator: "/")
        return "/\(folder):\(inherited ?? standard)"
    }

    static func isInherited(_ name: String) -> Bool {
        guard !agentNames.contains(name) else { return false }
        return inheritedNames.contains(name) || inheritedPrefixes.contains { name.hasPrefix($0) }
    }

    /// R2_* under the names boto3 (listing, configuration files) and the streamer's C++ SDK (weights) read.
    static func credentials(_ store: ObjectStore) -> [EnvironmentVariable] {
        var variables = [
            EnvironmentVariable("AWS_ENDPOINT_URL", store.endpoint),
            // Read by streamers up to 0.11 only; harmless later.
            EnvironmentVariable("RUNAI_STREAMER_S3_ENDPOINT", store.endpoint),
            EnvironmentVariable("AWS_ACCESS_KEY_ID", store.accessKeyID),
            EnvironmentVariable("AWS_SECRET_ACCESS_KEY", store.secretAccessKey),
            // R2 knows one region; boto3 reads the first name, the C++ SDK both.
            EnvironmentVariable("AWS_DEFAULT_REGION", "auto"),
            EnvironmentVariable("AWS_REGION", "auto"),
            // Else the credential chain asks 169.254.169.254 and waits five seconds.
            EnvironmentVariable("AWS_EC2_METADATA_DISABLED", "true"),
            // R2 rejects the trailing checksums newer SDKs add by themselves.
            EnvironmentVariable("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required"),
            EnvironmentVariable("AWS_RESPONSE_CHECKSUM_VALIDATION", "when_required"),
        ]
        if let token = store.sessionToken { variables.append(EnvironmentVariable("AWS_SESSION_TOKEN", token)) }
        return variables
    }

    /// What the node sets itself wins over these.
    private static let streamerDefaults = [
        // Must be an integer: "false" fails as `Unknown Error`.
        EnvironmentVariable("RUNAI_STREAMER_S3_USE_VIRTUAL_ADDRESSING", "0"),
        // The default of one second aborts connections that only wait their turn on a shared link.
        EnvironmentVariable("RUNAI_STREAMER_S3_REQUEST_TIMEOUT_MS", "30000"),
    ]
    /// For every engine: the streamer reads them when it is imported, which one that waits has done.
    private static let streamerLog = [
        // The only place where the cause of a failed read is written.
        EnvironmentVariable("RUNAI_STREAMER_LOG_TO_STDERR", "1"),
        EnvironmentVariable("RUNAI_STREAMER_LOG_LEVEL", "INFO"),
    ]

    /// The assignment's limit, where this vLLM does not take it in the loader's configuration.
    private static func streamerMemoryLimit(_ assignment: Assignment, version: EngineVersion) -> EnvironmentVariable? {
        guard !EngineCommand.limitGoesInConfig(assignment.streamerMemoryLimit, version: version) else { return nil }
        return EnvironmentVariable("RUNAI_STREAMER_MEMORY_LIMIT", String(assignment.streamerMemoryLimit))
    }

    private static func defaults(cacheFolder: String) -> [EnvironmentVariable] {
        [
            EnvironmentVariable("HOME", cacheFolder),
            EnvironmentVariable("LANG", "C.UTF-8"),
            EnvironmentVariable("PYTHONUNBUFFERED", "1"),
            EnvironmentVariable("VLLM_CACHE_ROOT", "\(cacheFolder)/vllm"),
            EnvironmentVariable("VLLM_ASSETS_CACHE", "\(cacheFolder)/vllm/assets"),
            EnvironmentVariable("VLLM_NO_USAGE_STATS", "1"),
            EnvironmentVariable("VLLM_DISABLE_LOG_LOGO", "1"),
        ]
    }

    private static func offline(_ version: EngineVersion) -> [EnvironmentVariable] {
        // vLLM 0.18 takes the s3:// URL for a hub name when it believes itself offline, and fails.
        guard version < EngineVersion(0, 18) || version >= EngineVersion(0, 19) else { return [] }
        return [EnvironmentVariable("HF_HUB_OFFLINE", "1"), EnvironmentVariable("TRANSFORMERS_OFFLINE", "1")]
    }

    /// The Hub's client fails when it is told to use a package that is not there; from 1.0 on it has its own means.
    private static func hub(_ install: EngineInstall) -> [EnvironmentVariable] {
        [EnvironmentVariable(install.hasHFTransfer ? "HF_HUB_ENABLE_HF_TRANSFER" : "HF_XET_HIGH_PERFORMANCE", "1")]
    }
}
