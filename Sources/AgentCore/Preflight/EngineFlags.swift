/// Flags of `vllm serve` that came or went, as far as is known. A flag that is not here is taken for known.
package enum EngineFlags {
    /// First version without it. Found on the main branch about each release's date, so one release of doubt remains:
    /// reason enough to warn and not to refuse.
    private static let removed: [String: EngineVersion] = [
        "--use-v2-block-manager": EngineVersion(0, 10), "--device": EngineVersion(0, 10),
        "--num-scheduler-steps": EngineVersion(0, 11), "--max-seq-len-to-capture": EngineVersion(0, 11),
        "--preemption-mode": EngineVersion(0, 11), "--disable-async-output-proc": EngineVersion(0, 11),
        "--guided-decoding-backend": EngineVersion(0, 12), "--num-lookahead-slots": EngineVersion(0, 12),
        "--task": EngineVersion(0, 13), "--cuda-graph-sizes": EngineVersion(0, 13),
        "--disable-log-requests": EngineVersion(0, 17), "--swap-space": EngineVersion(0, 18),
        "--max-num-partial-prefills": EngineVersion(0, 27), "--max-long-partial-prefills": EngineVersion(0, 27),
    ]

    /// First version with it.
    private static let added: [String: EngineVersion] = [
        "--kv-cache-memory-bytes": EngineVersion(0, 11), "--optimization-level": EngineVersion(0, 12),
        "--disable-access-log-for-endpoints": EngineVersion(0, 15), "--performance-mode": EngineVersion(0, 17),
        "--shutdown-timeout": EngineVersion(0, 18), "--logging-config": EngineVersion(0, 32),
    ]

    /// A sentence for each flag that this version does not have.
    package static func unknown(in arguments: [String], to version: EngineVersion) -> [String] {
        arguments.compactMap { argument in
            guard argument.hasPrefix("--") else { return nil }
            let flag = String(argument.prefix { $0 != "=" }.map { $0 == "_" ? "-" : $0 })
            if let end = removed[flag], version >= end {
                return "\(flag) is gone since vLLM \(end); \(version) is here"
            }
            guard let begin = added[flag], version < begin else { return nil }
            return "\(flag) came with vLLM \(begin); \(version) is here"
        }
    }
}

extension EngineVersion {
    /// A driver's number has one part that counts.
    init(_ major: Int) { self.init(major, 0) }
}
