internal import AgentCore
internal import FoundationEssentials

/// `NAME=value` lines as systemd's `EnvironmentFile=` and the documents' own files have them.
package enum EnvironmentFile {
    /// Bytes; anything longer is no settings file.
    package static let maximumBytes = 64 * 1024

    /// - Throws: `InvalidSettings` when the file cannot be read or a line is no assignment.
    package static func read(_ path: String) throws(InvalidSettings) -> [String: String] {
        let contents: Data
        do {
            contents = try Data(contentsOf: URL(filePath: path))
        } catch {
            throw InvalidSettings([FieldFault(field: path, problem: "cannot be read: does it exist, may we read it?")])
        }
        guard contents.count <= maximumBytes else {
            throw InvalidSettings([FieldFault(field: path, problem: "is larger than \(maximumBytes) bytes")])
        }
        return try parse(String(decoding: contents, as: UTF8.self), path: path)
    }

    /// Faults name the line by number and never repeat it: it may hold a secret.
    package static func parse(_ text: String, path: String) throws(InvalidSettings) -> [String: String] {
        var values: [String: String] = [:]
        var faults: [FieldFault] = []
        let lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
        for (index, line) in lines.enumerated() {
            var line = trimmed(line)
            if line.isEmpty || line.hasPrefix("#") || line.hasPrefix(";") { continue }
            if line.hasPrefix("export ") { line = trimmed(line.dropFirst(7)) }
            guard let equals = line.firstIndex(of: "="), isName(line[..<equals]) else {
                faults.append(FieldFault(field: "\(path):\(index + 1)", problem: "is not NAME=value"))
                continue
            }
            values[String(line[..<equals])] = unquoted(trimmed(line[line.index(after: equals)...]))
        }
        guard faults.isEmpty else { throw InvalidSettings(faults) }
        return values
    }

    private static func trimmed(_ text: Substring) -> Substring {
        var text = text
        while text.first?.isWhitespace == true { text = text.dropFirst() }
        while text.last?.isWhitespace == true { text = text.dropLast() }
        return text
    }

    private static func isName(_ text: Substring) -> Bool {
        guard let first = text.utf8.first, first < UInt8(ascii: "0") || first > UInt8(ascii: "9") else { return false }
        return text.unicodeScalars.allSatisfy { $0.isASCII && ($0.properties.isAlphabetic || $0 == "_" || isDigit($0)) }
    }

    private static func isDigit(_ scalar: Unicode.Scalar) -> Bool {
        scalar >= "0" && scalar <= "9"
    }

    private static func unquoted(_ text: Substring) -> String {
        for quote in ["\"", "'"] where text.count >= 2 && text.hasPrefix(quote) && text.hasSuffix(quote) {
            return String(text.dropFirst().dropLast())
        }
        return String(text)
    }
}
