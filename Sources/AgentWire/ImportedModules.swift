/// `crosslogic-modules.json`, which the engine launcher leaves in the engine's environment: the modules that a start
/// imports, in order.
package enum ImportedModules {
    /// Beside the folders of the environment.
    package static let fileName = "crosslogic-modules.json"
    package static let maximumBytes = 4 << 20
    private static let format = 1

    /// Those of the engine's processes, then what only the command imports; empty where it is not that file.
    package static func names(_ bytes: [UInt8]) -> [String] {
        guard let document = try? JSONValue.parse(bytes), case .object(let fields) = document,
            fields["format"] == .integer(Int64(format))
        else { return [] }
        return ["engine", "command"].flatMap { role -> [String] in
            guard case .array(let names) = fields[role] else { return [] }
            return names.compactMap { name in
                if case .string(let text) = name { text } else { nil }
            }
        }
    }
}
