internal import AgentCore

/// When an engine that had waited was told to serve. Its unit's own start says nothing about that.
struct GoRecord: Equatable, Sendable {
    static let path = "/run/crosslogic/engine.go"

    var invocation: String
    var at: BootInstant

    init(invocation: String, at: BootInstant) {
        self.invocation = invocation
        self.at = at
    }

    init?(_ text: String) {
        let fields = text.split { $0 == " " || $0 == "\n" }
        guard fields.count == 2, let nanoseconds = Int64(fields[1]) else { return nil }
        self.init(invocation: String(fields[0]), at: BootInstant(nanoseconds: nanoseconds))
    }

    var text: String { "\(invocation) \(at.nanoseconds)\n" }

    static func load(_ path: String = path) -> GoRecord? {
        (try? LinuxFileStore().read(path, limit: 256)).flatMap { $0 }.flatMap {
            GoRecord(String(decoding: $0, as: UTF8.self))
        }
    }

    /// Without it an agent that comes next ends the engine and starts another: worse, and not wrong.
    func save(_ path: String = path) {
        try? LinuxFileStore().replace(path, with: Array(text.utf8), mode: 0o600, synced: false)
    }
}
