package import AgentCore

/// Why an agent does not even begin.
package enum StartRefusal: Equatable, Sendable {
    case badSettings([FieldFault])
    /// `pid` is nil where the other one has not written it down; `lock` is the file it holds.
    case anotherAgent(pid: Int32?, lock: String)

    /// One for each thing to do.
    package var lines: [String] {
        switch self {
        case .badSettings(let faults): faults.map(\.description)
        case .anotherAgent(let pid, let lock):
            ["another agent runs here (pid \(pid.map(String.init) ?? "unknown"), it holds \(lock))"]
        }
    }

    package var entries: [OperatorLogEntry] {
        lines.map { OperatorLogEntry(.error, $0, messageID: MessageID.of(self), fields: []) }
    }

    /// For the service manager (sd_notify(3)): `systemctl status` shows it long after the journal has scrolled.
    package var notification: String {
        switch self {
        case .badSettings: "STATUS=bad settings: \(lines.joined(separator: "; "))\nERRNO=22"
        case .anotherAgent: "STATUS=\(lines.joined())\nERRNO=16"
        }
    }
}
