/// How much of the engine's Python is compiled beside its sources. What is not is compiled anew by every process of every
/// start, for the engine's user may not write there.
package struct Bytecode: Equatable, Sendable {
    package private(set) var sources = 0
    package private(set) var missing = 0

    package init() {}

    /// Folders below `site-packages` that every start imports; looking at all would take longer than it saves.
    package static let folders = [
        "vllm", "vllm/config", "vllm/engine", "vllm/entrypoints/openai", "vllm/model_executor/layers", "vllm/v1/engine",
        "vllm/v1/worker", "torch", "torch/_dynamo", "torch/_inductor", "transformers",
    ]

    /// The names in one of them, and in its `__pycache__`.
    package mutating func read(folder: [String], cache: [String]) {
        let compiled = Set(cache.filter { $0.hasSuffix(".pyc") }.compactMap { $0.split(separator: ".").first })
        for name in folder where name.hasSuffix(".py") {
            sources += 1
            if !compiled.contains(name.dropLast(".py".count)) { missing += 1 }
        }
    }

    /// nil where no source was found.
    package func finding(neverWritten: Bool) -> PreflightFinding? {
        guard sources > 0 else { return nil }
        guard missing > 0 else { return .ok(.bytecode, "the engine's Python is compiled") }
        let reason = neverWritten ? "; PYTHONDONTWRITEBYTECODE is set" : ""
        return .warn(
            .bytecode, nil,
            "\(missing) of \(sources) Python files of the engine are not compiled, which costs each of its processes"
                + " seconds\(reason)",
            remedy: "Run `python -m compileall` of the engine's environment over its lib folder, as who owns it.")
    }
}
