package import AgentCore
internal import Glibc

/// Lines for operators on standard error: with journald's priority prefix where journald reads them, else with
/// the time (UTC). One write per line, so that lines of several writers never mix.
package struct StderrLog: AgentLog {
    /// Bytes of text per line, above which it is cut.
    static let lineLimit = 8192

    private let descriptor: Int32
    private let format: OperatorLogFormat
    private let minimum: OperatorLogLevel
    private let outbox = SerialOutbox(label: "io.crosslogic.log", limit: 1024)

    /// Lines less important than `minimum` are left out.
    package init(minimum: OperatorLogLevel = .info) {
        self.init(descriptor: STDERR_FILENO, minimum: minimum, journalStream: Self.journalStream)
    }

    private static var journalStream: String? { getenv("JOURNAL_STREAM").map { String(cString: $0) } }

    /// Whether systemd has connected standard error to the journal, and it still is.
    static var leadsToJournal: Bool { leads(STDERR_FILENO, to: journalStream) }

    /// The variable is inherited by children and survives a redirection; the numbers tell (systemd.exec(5)).
    private static func leads(_ descriptor: Int32, to journalStream: String?) -> Bool {
        var status = stat()
        return fstat(descriptor, &status) == 0 && journalStream == "\(status.st_dev):\(status.st_ino)"
    }

    /// `journalStream` is `device:inode` of the socket that systemd connected to the journal.
    init(descriptor: Int32, minimum: OperatorLogLevel, journalStream: String?) {
        self.descriptor = descriptor
        self.minimum = minimum
        format = Self.leads(descriptor, to: journalStream) ? .journal : .plain
    }

    package func write(_ level: OperatorLogLevel, _ line: String) {
        guard level.rawValue <= minimum.rawValue else { return }
        let time = LinuxClocks().wallTime()
        outbox.submit { [descriptor, format] dropped in
            if dropped > 0 {
                let loss = "\(dropped) log lines were dropped: the log is not being read"
                Self.emit(format.line(.warning, loss, at: time), to: descriptor)
            }
            Self.emit(format.line(level, line, at: time), to: descriptor)
        }
    }

    private static func emit(_ line: String, to descriptor: Int32) {
        var bytes = Array(line.utf8)[...]
        while !bytes.isEmpty {
            let written = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if written >= 0 {
                bytes.removeFirst(written)
            } else if errno == EAGAIN {
                // Whoever shares this terminal or pipe with us has made it non-blocking.
                var query = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
                poll(&query, 1, -1)
            } else if errno != EINTR {
                // A log that cannot be written has nowhere to say so.
                return
            }
        }
    }

    /// Blocks until everything is written. The last thing before the process exits.
    package func drain() {
        outbox.drain()
    }
}
