/// What this machine and the software on it mean for a start. Nothing here is fatal that a start could survive: the
/// engine itself knows best, and says so; the agent only knows sooner.
package struct NodeJudge: Sendable {
    /// Streamers of all versions opened up to 13 connections per thread of concurrency (176 at 8, 400 at 32), besides
    /// what Python, NCCL and the clients have open.
    private static let connectionsPerThread: UInt64 = 22
    static let otherDescriptors: UInt64 = 1024

    static func descriptors(for concurrency: Int) -> UInt64 {
        UInt64(clamping: concurrency) * connectionsPerThread + otherDescriptors
    }

    /// Room for logs, compiled graphs and the model's configuration.
    private static let diskWanted: UInt64 = 2 << 30

    let facts: NodeFacts
    let install: EngineInstall
    let assignment: Assignment
    let arguments: [String]
    /// Of the weights, where the store told.
    let weightBytes: UInt64?

    package init(
        _ facts: NodeFacts, install: EngineInstall, assignment: Assignment, arguments: [String], weightBytes: UInt64?
    ) {
        self.facts = facts
        self.install = install
        self.assignment = assignment
        self.arguments = arguments
        self.weightBytes = weightBytes
    }

    package func findings() -> [PreflightFinding] {
        [engine, streamer, descriptors, memory, disk].compactMap { $0 } + flags + gpu
    }

    // MARK: Software

    private var engine: PreflightFinding {
        guard let version = install.vllm else {
            return .warn(
                .engine, nil, "the version of \(install.executable) is not known; taken for \(install.effectiveVLLM)",
                remedy: "Install vLLM with its package metadata (vllm-*.dist-info) beside it.")
        }
        if let wanted = assignment.vllmVersion.flatMap({ EngineVersion($0) }), wanted != version {
            return .warn(
                .engine, nil, "vLLM \(version) is installed, the assignment expects \(wanted)",
                remedy: "Use the image with that version, or correct vllm_version.")
        }
        guard assignment.useRunaiStreamer, version < EngineVersion(0, 22), assignment.streamerMemoryLimit >= 0 else {
            return .ok(.engine, "vLLM \(version)")
        }
        return .warn(
            .engine, nil, "vLLM \(version) can corrupt weights of some models when the streamer has a memory limit",
            remedy: "Use vLLM 0.22 or newer, or set streamer_memory_limit to -1.")
    }

    private var streamer: PreflightFinding? {
        guard assignment.useRunaiStreamer else { return nil }
        guard let version = install.streamer else {
            // It may be there where this agent does not look.
            return .warn(.streamer, .streamerMissing, "no Run:ai Model Streamer was found beside vLLM")
        }
        return .ok(.streamer, "streamer \(version)")
    }

    private var flags: [PreflightFinding] {
        let unknown = EngineFlags.unknown(in: arguments, to: install.effectiveVLLM)
        guard !unknown.isEmpty else { return [.ok(.arguments, "all flags are known to vLLM \(install.effectiveVLLM)")] }
        return unknown.map { .warn(.arguments, .badFlag, $0) }
    }

    // MARK: Machine

    private var descriptors: PreflightFinding? {
        guard assignment.useRunaiStreamer, let limit = facts.descriptorLimit else { return nil }
        let wanted = Self.descriptors(for: assignment.streamerConcurrency)
        guard limit < wanted else { return .ok(.descriptors, "up to \(limit)") }
        return .warn(
            .descriptors, .badLoaderConfig,
            "a process may open \(limit) descriptors; a concurrency of \(assignment.streamerConcurrency) may need"
                + " \(wanted)",
            remedy: "Raise LimitNOFILE of the service, or lower streamer_concurrency.")
    }

    private var memory: PreflightFinding? {
        guard assignment.useRunaiStreamer, let available = facts.availableMemory else { return nil }
        let ranks = UInt64(max(1, assignment.tensorParallelSize))
        let limit = assignment.streamerMemoryLimit
        guard let perRank = limit > 0 ? UInt64(limit) : limit < 0 ? weightBytes : nil else { return nil }
        // A buffer is never larger than what is read into it.
        let wanted = min(perRank, weightBytes ?? perRank).multipliedReportingOverflow(by: ranks).partialValue
        let message =
            "\(StoreJudge.gigabytes(available)) are available; the streamer may use \(StoreJudge.gigabytes(wanted))"
        guard available < wanted else { return .ok(.memory, message) }
        return .warn(.memory, .hostOutOfMemory, message)
    }

    private var disk: PreflightFinding? {
        guard let free = facts.freeDisk else { return nil }
        guard free < Self.diskWanted else { return .ok(.disk, "\(StoreJudge.gigabytes(free)) free for the cache") }
        return .warn(.disk, .localStorage, "only \(StoreJudge.gigabytes(free)) are free for the engine's cache")
    }

    private var gpu: [PreflightFinding] {
        guard facts.seesGPUs else { return [] }
        guard facts.hasDriver else {
            guard let wanted = assignment.gpu else { return [] }
            return [.warn(.gpu, .driver, "the assignment is for \(wanted), but there is no NVIDIA driver here")]
        }
        var findings: [PreflightFinding] = []
        if facts.gpuDevices < assignment.tensorParallelSize {
            findings.append(
                .warn(
                    .gpu, .badModelConfig,
                    "tensor_parallel_size is \(assignment.tensorParallelSize), but there are \(facts.gpuDevices) GPUs"))
        }
        if let driver = facts.driver, driver < EngineVersion(580), install.effectiveVLLM >= EngineVersion(0, 20) {
            findings.append(
                .warn(
                    .gpu, .driver,
                    "driver \(driver) is too old for the CUDA 13 that vLLM \(install.effectiveVLLM) is usually built for"
                ))
        }
        guard findings.isEmpty else { return findings }
        let models = Set(facts.gpus).sorted().joined(separator: ", ")
        let driver = facts.driver.map { ", driver \($0)" } ?? ""
        return [.ok(.gpu, "\(facts.gpuDevices) × \(models.isEmpty ? "NVIDIA GPU" : models)\(driver)")]
    }
}
