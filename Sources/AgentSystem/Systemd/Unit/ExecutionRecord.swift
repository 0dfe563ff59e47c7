internal import AgentCore

/// Which execution of which unit is the engine, and since when: a unit's own start says nothing about that where it waited.
/// `record-exit` reads it, too.
struct ExecutionRecord: Equatable, Sendable {
    static let path = "/run/crosslogic/engine.execution"

    var invocation: String
    var at: BootInstant

    init(invocation: String, at: BootInstant) {
        self.invocation = invocation
        self.at = at
    }

    /// What is executed there next, whatever systemd will call it.
    init(startingAt place: EnginePlace, _ at: BootInstant) {
        self.init(invocation: place.rawValue, at: at)
    }

    /// Since when this execution is the engine; nil where it is none, or only waits.
    func start(of status: UnitStatus, at place: EnginePlace) -> BootInstant? {
        if invocation == status.invocation { return at }
        return invocation == place.rawValue && status.isThere && status.startedAt >= at ? status.startedAt : nil
    }

    init?(_ text: String) {
        let fields = text.split { $0 == " " || $0 == "\n" }
        guard fields.count == 2, let nanoseconds = Int64(fields[1]) else { return nil }
        self.init(invocation: String(fields[0]), at: BootInstant(nanoseconds: nanoseconds))
    }

    var text: String { "\(invocation) \(at.nanoseconds)\n" }

    static func load(_ path: String = path) -> ExecutionRecord? {
        (try? LinuxFileStore().read(path, limit: 256)).flatMap { $0 }.flatMap {
            ExecutionRecord(String(decoding: $0, as: UTF8.self))
        }
    }

    /// Without it an agent that comes next ends the engine and starts another: worse, and not wrong.
    func save(_ path: String = path) {
        try? LinuxFileStore().replace(path, with: Array(text.utf8), mode: 0o600, synced: false)
    }
}
