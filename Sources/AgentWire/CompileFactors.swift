/// `cache_key_factors.json`, which vLLM writes beside what it has compiled: the environment, and hashes of the rest.
package struct CompileFactors: Equatable, Sendable {
    private var values: [String: JSONValue] = [:]

    /// nil where it is not that file.
    package init?(_ bytes: [UInt8]) {
        guard let document = try? JSONValue.parse(bytes), case .object(let fields) = document else { return nil }
        for (name, value) in fields {
            if name == "env", case .object(let variables) = value {
                for (variable, value) in variables { values[variable] = value }
            } else {
                values[name] = value
            }
        }
    }

    /// Names of the factors in which nothing present agrees with anything carried; those of the closest pair.
    package static func differences(carried: [CompileFactors], present: [CompileFactors]) -> [String] {
        let new = present.filter { !carried.contains($0) }
        let pairs = new.flatMap { ours in carried.map { ours.differences(from: $0) } }
        return pairs.min { $0.count < $1.count } ?? []
    }

    private func differences(from other: CompileFactors) -> [String] {
        Set(values.keys).union(other.values.keys).filter { values[$0] != other.values[$0] }.sorted()
    }
}
