package import AgentCore

/// Environment files as systemd's `EnvironmentFile=` and a shell's `.` both read them.
///
/// One `NAME=value` a line; `#` begins a comment line; `export ` before a name is allowed; a value may stand in
/// single quotes (taken as it is) or double quotes (`\"`, `\\`, `\$`, `` \` `` are unescaped). Nothing is expanded.
package enum EnvFile {
    package static let maximumBytes = 64 * 1024

    // Bytes throughout: a quote or an equals sign with a combining mark behind it is one Character, and neither of the
    // readers sees it that way.
    private static let quote = UInt8(ascii: "\"")
    private static let backslash = UInt8(ascii: "\\")
    private static let escaped: Set<UInt8> = [quote, backslash, UInt8(ascii: "$"), UInt8(ascii: "`")]

    /// - Returns: the variables, the last of a name wins; and a fault per line that could not be read.
    package static func parse(_ bytes: [UInt8]) -> (variables: [String: String], faults: [FieldFault]) {
        var variables: [String: String] = [:]
        var faults: [FieldFault] = []
        for (index, line) in bytes.split(separator: 0x0A, omittingEmptySubsequences: false).enumerated() {
            var rest = trimmed(line)
            if rest.isEmpty || rest.first == UInt8(ascii: "#") { continue }
            if rest.starts(with: "export ".utf8) { rest = trimmed(rest.dropFirst(7)) }
            guard let equals = rest.firstIndex(of: UInt8(ascii: "=")), isName(rest[..<equals]) else {
                faults.append(FieldFault(field: "line \(index + 1)", problem: "is not NAME=value"))
                continue
            }
            guard let value = unquoted(rest[(equals + 1)...]) else {
                faults.append(FieldFault(field: "line \(index + 1)", problem: "has a quote that does not end"))
                continue
            }
            variables[String(decoding: rest[..<equals], as: UTF8.self)] = String(decoding: value, as: UTF8.self)
        }
        return (variables, faults)
    }

    /// Every value in double quotes, so that both readers see the same bytes.
    ///
    /// - Returns: nil where a value has a line break or a NUL, which no environment file can carry.
    package static func render(_ variables: [EnvironmentVariable]) -> [UInt8]? {
        var bytes: [UInt8] = []
        for variable in variables {
            bytes += "\(variable.name)=\"".utf8
            for byte in variable.value.reveal().utf8 {
                if byte == 0 || byte == 0x0A || byte == 0x0D { return nil }
                if escaped.contains(byte) { bytes.append(backslash) }
                bytes.append(byte)
            }
            bytes += "\"\n".utf8
        }
        return bytes
    }

    private static func unquoted(_ raw: ArraySlice<UInt8>) -> [UInt8]? {
        let raw = trimmed(raw)
        guard let mark = raw.first, mark == quote || mark == UInt8(ascii: "'") else { return [UInt8](raw) }
        guard raw.count >= 2, raw.last == mark else { return nil }
        let inner = raw.dropFirst().dropLast()
        guard mark == quote else { return inner.contains(mark) ? nil : [UInt8](inner) }
        var value: [UInt8] = []
        var isEscaped = false
        for byte in inner {
            if isEscaped {
                if !escaped.contains(byte) { value.append(backslash) }
                value.append(byte)
                isEscaped = false
            } else if byte == backslash {
                isEscaped = true
            } else if byte == quote {
                return nil
            } else {
                value.append(byte)
            }
        }
        return isEscaped ? nil : value
    }

    private static func isName(_ text: ArraySlice<UInt8>) -> Bool {
        guard let first = text.first, !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) else { return false }
        return text.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
                true
            default: false
            }
        }
    }

    private static func trimmed(_ text: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        let isBlank: (UInt8) -> Bool = { $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }
        guard let last = text.lastIndex(where: { !isBlank($0) }) else { return [] }
        return text[...last].drop(while: isBlank)
    }
}
