internal import AgentCore
internal import Glibc

/// How an execution of the engine's unit ended, as `record-exit` wrote it down.
struct ExitRecord: Equatable, Sendable {
    static let folder = "/var/lib/crosslogic"
    /// Each unit has its own: the end of one that waits says nothing of the engine's.
    static func path(_ place: EnginePlace) -> String {
        "\(folder)/\(place == .main ? "last-exit" : "last-exit-spare").json"
    }

    var invocation: String
    /// systemd's word, such as `oom-kill`.
    var result: String
    var exit: EngineExit
    /// Processes that not even SIGKILL could end.
    var left: Int
    /// Bytes; nil where the kernel does not count.
    var memoryPeak: UInt64?

    static func load(_ place: EnginePlace) -> ExitRecord? {
        (try? LinuxFileStore().read(path(place), limit: 4096)).flatMap { $0 }.flatMap {
            ExitRecord(String(decoding: $0, as: UTF8.self))
        }
    }

    /// A flat object of words and numbers; nothing in it is escaped.
    init?(_ text: String) {
        var fields: [Substring: Substring] = [:]
        for pair in text.drop(while: { $0 != "{" }).dropFirst().prefix(while: { $0 != "}" }).split(separator: ",") {
            let parts = pair.split(separator: ":", maxSplits: 1)
            guard parts.count == 2 else { return nil }
            fields[parts[0].unquoted] = parts[1].unquoted
        }
        guard let invocation = fields["invocation"], let result = fields["result"], let code = fields["code"],
            let status = fields["status"]
        else { return nil }
        self.invocation = String(invocation)
        self.result = String(result)
        exit = Self.exit(code: code, status: status)
        left = fields["left"].flatMap { Int($0) } ?? 0
        memoryPeak = fields["memory_peak"].flatMap { UInt64($0) }
    }

    private static func exit(code: Substring, status: Substring) -> EngineExit {
        switch code {
        case "killed", "dumped":
            .signalled(signal: signals[String(status)] ?? SIGKILL, coreDumped: code == "dumped")
        default:
            // Without a status nothing is known but that it ended.
            .exited(code: Int32(status) ?? -1)
        }
    }

    private static let signals: [String: Int32] = [
        "HUP": SIGHUP, "INT": SIGINT, "QUIT": SIGQUIT, "ILL": SIGILL, "TRAP": SIGTRAP, "ABRT": SIGABRT, "BUS": SIGBUS,
        "FPE": SIGFPE, "KILL": SIGKILL, "USR1": SIGUSR1, "SEGV": SIGSEGV, "USR2": SIGUSR2, "PIPE": SIGPIPE,
        "ALRM": SIGALRM, "TERM": SIGTERM, "SYS": SIGSYS, "XCPU": SIGXCPU,
    ]
}

extension Substring {
    fileprivate var unquoted: Substring {
        let blank: (Character) -> Bool = { $0 == " " || $0 == "\"" || $0.isNewline }
        return drop(while: blank).reversed().drop(while: blank).reversed().reduce(into: "") { $0.append($1) }[...]
    }
}
