internal import AgentCore
internal import AgentWire
internal import FoundationEssentials

/// The files of `--env-file`, read together.
enum EnvironmentFiles {
    /// Faults name file and line, and never repeat what is there: it may be a secret.
    static func read(_ paths: [String]) -> (variables: [String: String], faults: [FieldFault]) {
        var variables: [String: String] = [:]
        var faults: [FieldFault] = []
        for path in paths {
            guard let contents = try? Data(contentsOf: URL(filePath: path)) else {
                faults.append(FieldFault(field: path, problem: "cannot be read: does it exist, and may we read it?"))
                continue
            }
            guard contents.count <= EnvFile.maximumBytes else {
                faults.append(FieldFault(field: path, problem: "is larger than \(EnvFile.maximumBytes) bytes"))
                continue
            }
            let file = EnvFile.parse(Array(contents))
            variables.merge(file.variables) { _, later in later }
            faults += file.faults.map { FieldFault(field: "\(path), \($0.field)", problem: $0.problem) }
        }
        return (variables, faults)
    }
}
