/// What made a start slow, and what would make it faster. Derived from its own numbers; says nothing about a phase that
/// took too little to matter.
enum StartAdvice {
    /// Shorter than this nobody waits for, in seconds.
    private static let worthwhile = 3.0
    private static let manySeconds = 5.0

    static func sentences(_ start: StartExplanation, _ findings: StartFindings) -> [String] {
        guard start.hasTimes, start.account.total > 0 else { return [] }
        var advice = slow(start.account).compactMap { phases, took in
            words(phases[0], start, findings).map {
                "\(phases.map(\.rawValue).joined(separator: " and ")) \(share(took, start)): \($0)"
            }
        }
        if start.account.unattributed >= worthwhile {
            let rest = share(start.account.unattributed, start)
            advice.append("unattributed \(rest): no line of this log tells what happened then.")
        }
        return advice + settings(start)
    }

    /// Slowest first. The spawns have the same cause and the same cure.
    private static func slow(_ account: StartAccount) -> [([Phase], Double)] {
        var seconds: [Phase: Double] = [:]
        for span in account.spans { seconds[span.phase, default: 0] += span.seconds }
        let slow = seconds.filter { $0.value >= worthwhile }
        var groups = slow.map { ([$0.key], $0.value) }
        if let core = slow[.engineCoreSpawn], let worker = slow[.workerSpawn] {
            groups.removeAll { $0.0 == [.engineCoreSpawn] || $0.0 == [.workerSpawn] }
            groups.append(([.engineCoreSpawn, .workerSpawn], core + worker))
        }
        return groups.sorted { ($0.1, $1.0[0].order) > ($1.1, $0.0[0].order) }
    }

    private static func share(_ seconds: Double, _ start: StartExplanation) -> String {
        "took \(Quantity.short(seconds)) s (\(Int((100 * seconds / start.account.total).rounded())) %)"
    }

    private static func words(_ phase: Phase, _ start: StartExplanation, _ findings: StartFindings) -> String? {
        switch phase {
        case .engineImport:
            "Python imports vLLM and PyTorch. Ship compiled bytecode (python -m compileall) and read the packages into "
                + "the page cache before the start."
        case .engineConfig:
            "configuration and tokenizer are pulled one file after the other, and the model's class is inspected. Keep "
                + "only the model's files under the prefix, set AWS_EC2_METADATA_DISABLED=true, keep VLLM_CACHE_ROOT."
        case .engineCoreSpawn, .workerSpawn:
            "a spawned process imports everything again; workers also set up their GPUs. The bytecode and page cache "
                + "that help the first import help here; VLLM_WORKER_MULTIPROC_METHOD=fork where nothing touched CUDA before."
        case .weightsStream: weights(start.load)
        case .weightsDone:
            "the loaded weights are rearranged or quantised; a checkpoint already in the final format needs none of it."
        case .compile: compile(findings)
        case .kvProfile:
            "memory is profiled and the KV cache made. --kv-cache-memory-bytes, or VLLM_ENABLE_STARTUP_PLAN=1 (0.25 and "
                + "newer), skips the profiling."
        case .graphCapture:
            "the time grows with the number of graphs: set --cudagraph-capture-sizes or --max-num-seqs to what is served."
        case .firstToken:
            "the first request compiles what the start left out; a warm-up request before READY hides it from clients."
        default: nil
        }
    }

    private static func weights(_ load: LoadSummary?) -> String {
        guard let load, load.isStreamed else {
            return "they were read from files; --load-format runai_streamer reads them from the store straight into "
                + "memory."
        }
        guard let rate = load.bytesPerSecond else {
            return "how many bytes that were the log does not tell; RUNAI_STREAMER_LOG_TO_STDERR=1 makes the streamer "
                + "say it."
        }
        return "\(Quantity.bytes(rate))/s; see that it is near what the network gives."
    }

    private static func compile(_ findings: StartFindings) -> String {
        findings.cacheMisses > 0
            ? "nothing fitting was in the cache. Keep VLLM_CACHE_ROOT/torch_compile_cache between starts of the same "
                + "model, settings, GPU and vLLM; a VLLM_* variable with another value makes another key."
            : "the cache was used; -O1 or --enforce-eager would trade speed of decoding for the rest."
    }

    /// Settings of the streamer that cost time at any size.
    private static func settings(_ start: StartExplanation) -> [String] {
        guard let load = start.load, load.isStreamed, (load.seconds ?? 0) >= manySeconds else { return [] }
        var advice: [String] = []
        if let concurrency = load.concurrency, concurrency < 16 {
            advice.append("concurrency is \(concurrency): an object store gives more with 16 to 32 requests at a time.")
        } else if load.concurrency == nil {
            advice.append("concurrency is not set: the streamer's default for object stores is 8; try 32.")
        }
        if let limit = load.memoryLimit, limit >= 0, limit < 1 << 30 {
            let size = Quantity.bytes(Double(limit))
            advice.append("memory_limit is \(size): a small buffer makes reading stop and go; try 5 GiB.")
        }
        return advice
    }
}
