package import AgentCore

/// Environment files as systemd's `EnvironmentFile=` and a shell's `.` both read them.
///
/// One `NAME=value` a line; `#` begins a comment line; `export ` before a name is allowed; a value may stand in
/// single quotes (taken as it is) or double quotes (`\"`, `\\`, `\$`, `` \` `` are unescaped). Nothing is expanded.
package enum EnvFile {
    package static let maximumBytes = 64 * 1024

    /// - Returns: the variables, the last of a name wins; and a fault per line that could not be read.
    package static func parse(_ bytes: [UInt8]) -> (variables: [String: String], faults: [FieldFault]) {
        var variables: [String: String] = [:]
        var faults: [FieldFault] = []
        let text = String(decoding: bytes, as: UTF8.self)
        for (index, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
            var rest = trimmed(line)
            if rest.isEmpty || rest.hasPrefix("#") { continue }
            if rest.hasPrefix("export ") { rest = trimmed(rest.dropFirst(7)) }
            guard let equals = rest.firstIndex(of: "="), isName(rest[..<equals]) else {
                faults.append(FieldFault(field: "line \(index + 1)", problem: "is not NAME=value"))
                continue
            }
            guard let value = unquoted(rest[rest.index(after: equals)...]) else {
                faults.append(FieldFault(field: "line \(index + 1)", problem: "has a quote that does not end"))
                continue
            }
            variables[String(rest[..<equals])] = value
        }
        return (variables, faults)
    }

    /// Every value in double quotes, so that both readers see the same bytes.
    ///
    /// - Returns: nil where a value has a line break or a NUL, which no environment file can carry.
    package static func render(_ variables: [EnvironmentVariable]) -> [UInt8]? {
        var text = ""
        for variable in variables {
            let value = variable.value.reveal()
            guard !value.utf8.contains(where: { $0 == 0 || $0 == 0x0A || $0 == 0x0D }) else { return nil }
            var quoted = ""
            for character in value {
                if "\"\\$`".contains(character) { quoted.append("\\") }
                quoted.append(character)
            }
            text += "\(variable.name)=\"\(quoted)\"\n"
        }
        return [UInt8](text.utf8)
    }

    private static func unquoted(_ raw: Substring) -> String? {
        guard let quote = raw.first, quote == "\"" || quote == "'" else { return String(trimmed(raw)) }
        let body = trimmed(raw).dropFirst()
        guard body.last == quote else { return nil }
        let inner = body.dropLast()
        guard quote == "\"" else { return inner.contains("'") ? nil : String(inner) }
        var value = ""
        var escaped = false
        for character in inner {
            if escaped {
                if !"\"\\$`".contains(character) { value.append("\\") }
                value.append(character)
                escaped = false
            } else if character == "\\" {
                escaped = true
            } else if character == "\"" {
                return nil
            } else {
                value.append(character)
            }
        }
        return escaped ? nil : value
    }

    private static func isName(_ text: Substring) -> Bool {
        guard let first = text.utf8.first, !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) else {
            return false
        }
        return text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
                true
            default: false
            }
        }
    }

    private static func trimmed(_ text: Substring) -> Substring {
        let isBlank: (Character) -> Bool = { $0 == " " || $0 == "\t" || $0 == "\r" || $0 == "\r\n" }
        let left = text.drop(while: isBlank)
        return left.prefix(left.count - left.reversed().prefix(while: isBlank).count)
    }
}
