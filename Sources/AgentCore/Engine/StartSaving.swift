/// What makes a start shorter without changing an answer. Each can be switched, and is on by itself only where
/// `scripts/bench start` has measured that it helps.
package enum StartSaving: String, CaseIterable, Sendable {
    case inductorCache = "inductor_cache"
    case startupPlan = "startup_plan"
    case captureSizes = "capture_sizes"
    case noPlugins = "no_plugins"

    package enum Choice: Equatable, Sendable {
        case on
        case off(why: String)
    }

    /// Of a node: names in its settings, `-name` for off.
    package struct Wishes: Equatable, Sendable {
        package var on: Set<StartSaving> = []
        package var off: Set<StartSaving> = []

        package init() {}
    }

    /// What it does and why, for `plan`.
    package var reason: String {
        switch self {
        case .inductorCache:
            "compiled code outlives the start: what this CPU build saves ahead of time it cannot load again"
        case .startupPlan: "memory is profiled once and not at every start"
        case .captureSizes: "graphs for more sequences than are served at a time are not captured"
        case .noPlugins: "no package is searched for plugins"
        }
    }

    private var isOnByItself: Bool { self == .inductorCache }

    /// `arguments` are those of the assignment and the node.
    package func choice(_ wishes: Wishes, on install: EngineInstall, arguments: [String]) -> Choice {
        if wishes.off.contains(self) { return .off(why: "turned off by the node") }
        if let obstacle = obstacle(install, arguments) { return .off(why: obstacle) }
        return isOnByItself || wishes.on.contains(self)
            ? .on : .off(why: "not measured on such a machine; may be turned on")
    }

    private func obstacle(_ install: EngineInstall, _ arguments: [String]) -> String? {
        switch self {
        case .inductorCache:
            if !install.isCPUBuild { return "builds for GPUs load what they have saved" }
            return install.effectiveVLLM < EngineVersion(0, 20) ? "not known to help before vLLM 0.20" : nil
        case .startupPlan:
            if install.isCPUBuild { return "builds for GPUs only" }
            return install.effectiveVLLM < EngineVersion(0, 32) ? "came with vLLM 0.32" : nil
        case .captureSizes:
            if install.isCPUBuild || Self.isEager(arguments) { return "no graphs are captured" }
            if install.effectiveVLLM < EngineVersion(0, 13) { return "not known to vLLM before 0.13" }
            let isGiven = arguments.contains {
                $0.hasPrefix("--cudagraph-capture-sizes") || $0.hasPrefix("--compilation-config")
            }
            if isGiven { return "the sizes are given" }
            return Self.sequences(arguments) == nil ? "--max-num-seqs is not given" : nil
        case .noPlugins: return nil
        }
    }

    /// The same whatever is served: an engine that waits for its assignment has it already.
    func environment(cacheFolder: String) -> [EnvironmentVariable] {
        switch self {
        case .inductorCache:
            [
                EnvironmentVariable("VLLM_USE_AOT_COMPILE", "0"),
                // Its own default is in /tmp, which is gone when the engine is.
                EnvironmentVariable("TORCHINDUCTOR_CACHE_DIR", "\(cacheFolder)/vllm/torch_compile_cache/inductor"),
            ]
        case .startupPlan: [EnvironmentVariable("VLLM_ENABLE_STARTUP_PLAN", "1")]
        case .noPlugins: [EnvironmentVariable("VLLM_PLUGINS", "")]
        case .captureSizes: []
        }
    }

    func arguments(_ given: [String]) -> [String] {
        guard self == .captureSizes, let sequences = Self.sequences(given) else { return [] }
        return ["--cudagraph-capture-sizes"] + Self.sizes(upTo: sequences).map(String.init)
    }

    /// As vLLM chooses them: 1, 2, 4, then every eighth, from 256 on every sixteenth.
    static func sizes(upTo limit: Int) -> [Int] {
        let usual = [1, 2, 4] + stride(from: 8, to: 256, by: 8) + stride(from: 256, through: 512, by: 16)
        let kept = usual.filter { $0 < limit }
        return kept + [min(limit, 512)]
    }

    private static func isEager(_ arguments: [String]) -> Bool { arguments.contains("--enforce-eager") }

    private static func sequences(_ arguments: [String]) -> Int? {
        var found: Int?
        for (index, argument) in arguments.enumerated() {
            if argument == "--max-num-seqs", index + 1 < arguments.count { found = Int(arguments[index + 1]) }
            if argument.hasPrefix("--max-num-seqs=") { found = Int(argument.dropFirst("--max-num-seqs=".count)) }
        }
        return found.flatMap { $0 > 0 ? $0 : nil }
    }
}

extension StartSaving.Wishes {
    /// Those that are used for this start, in a fixed order.
    package func savings(for assignment: Assignment, on install: EngineInstall, node: [String]) -> [StartSaving] {
        savings(on: install, arguments: assignment.extraArguments + node)
    }

    func savings(on install: EngineInstall, arguments: [String]) -> [StartSaving] {
        StartSaving.allCases.filter { $0.choice(self, on: install, arguments: arguments) == .on }
    }
}
