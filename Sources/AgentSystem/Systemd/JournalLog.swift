package import AgentCore
internal import CSystemd
internal import Glibc

/// Entries for systemd's journal, with their fields.
package struct JournalLog: AgentLog {
    private let outbox = SerialOutbox(label: "io.crosslogic.journal", limit: 1024)

    package func write(_ level: OperatorLogLevel, _ line: String) {
        send(level, line, [])
    }

    package func write(_ entry: OperatorLogEntry) {
        let id = OperatorLogEntry.Field("MESSAGE_ID", entry.messageID)
        send(entry.level, entry.text, [id] + entry.fields)
    }

    private func send(_ level: OperatorLogLevel, _ text: String, _ fields: [OperatorLogEntry.Field]) {
        guard level.rawValue <= OperatorLogLevel.info.rawValue else { return }
        var lines = ["MESSAGE=\(OperatorLogFormat.escaped(text))", "PRIORITY=\(level.rawValue)"]
        lines.append("SYSLOG_IDENTIFIER=crosslogic-node-agent")
        lines += fields.map { "\($0.name)=\(OperatorLogFormat.escaped($0.value))" }
        outbox.submit { [lines] dropped in
            if dropped > 0 {
                let loss = "MESSAGE=\(dropped) log lines were dropped: the journal is not being read"
                Self.emit([loss, "PRIORITY=4", "SYSLOG_IDENTIFIER=crosslogic-node-agent"])
            }
            Self.emit(lines)
        }
    }

    private static func emit(_ lines: [String]) {
        let strings = CStringArray(lines)
        let vectors = lines.indices.map { index in
            let text = strings.pointers[index]
            return iovec(iov_base: text, iov_len: text.map { strlen($0) } ?? 0)
        }
        // A journal that cannot be written has nowhere to say so.
        _ = sd_journal_sendv(vectors, Int32(vectors.count))
        extend(strings)
    }

    /// The vectors point into it.
    private static func extend(_: borrowing CStringArray) {}

    package func drain() {
        outbox.drain()
    }
}

/// A log of the process's own.
package protocol AgentLog: OperatorLog {
    /// Blocks until everything is written. The last thing before the process exits.
    func drain()
}

/// Where this process's lines go.
package enum AgentLogs {
    /// The journal where standard error leads there, else standard error.
    package static func standard() -> any AgentLog {
        journal() ?? StderrLog()
    }

    /// nil where standard error leads elsewhere.
    package static func journal() -> (any AgentLog)? {
        StderrLog.leadsToJournal ? JournalLog() : nil
    }
}
