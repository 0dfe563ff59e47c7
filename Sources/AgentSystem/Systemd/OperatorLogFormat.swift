internal import AgentCore
internal import Glibc

/// How a line for operators is written.
enum OperatorLogFormat: Sendable {
    /// `<6>text`; the journal adds the time.
    case journal
    /// `2026-11-21T20:05:16.123Z info text`
    case plain

    /// One line with its newline; `time` in seconds since 1970.
    func line(_ level: OperatorLogLevel, _ text: String, at time: Double) -> String {
        switch self {
        case .journal: "<\(level.rawValue)>\(Self.escaped(text))\n"
        case .plain: "\(Self.timestamp(time)) \(level) \(Self.escaped(text))\n"
        }
    }

    /// Text from outside may hold line breaks that fake a line, or sequences that drive a terminal.
    static func escaped(_ text: String) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            guard result.utf8.count < StderrLog.lineLimit else { return result + "…" }
            switch scalar {
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case _ where scalar.properties.generalCategory.isUnprintable:
                result += "\\u{\(String(scalar.value, radix: 16))}"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }

    private static func timestamp(_ time: Double) -> String {
        var seconds = time_t(time)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        func padded(_ number: Int, _ width: Int) -> String {
            let digits = String(number)
            return String(repeating: "0", count: max(0, width - digits.count)) + digits
        }
        let date = [Int(parts.tm_year) + 1900, Int(parts.tm_mon) + 1, Int(parts.tm_mday)].map { padded($0, 2) }
        let clock = [parts.tm_hour, parts.tm_min, parts.tm_sec].map { padded(Int($0), 2) }
        let milliseconds = padded(Int((time - Double(seconds)) * 1000), 3)
        return "\(date.joined(separator: "-"))T\(clock.joined(separator: ":")).\(milliseconds)Z"
    }
}

extension Unicode.GeneralCategory {
    /// Control characters, direction marks and line separators.
    fileprivate var isUnprintable: Bool {
        switch self {
        case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned: true
        default: false
        }
    }
}
