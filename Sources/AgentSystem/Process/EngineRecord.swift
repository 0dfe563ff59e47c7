internal import AgentCore

/// What an agent leaves on disk about the engine it started, for the next agent to find it by.
struct EngineRecord: Equatable, Sendable {
    var engine: ProcessIdentity
    var bootID: String

    /// `pid start-time boot-id`, one line.
    var text: String { "\(engine.pid) \(engine.startTime) \(bootID)\n" }

    init(engine: ProcessIdentity, bootID: String) {
        self.engine = engine
        self.bootID = bootID
    }

    /// nil for text that is no record, and for pids no engine can have.
    init?(text: String) {
        let fields = text.split { $0 == " " || $0 == "\n" }
        guard fields.count == 3, let pid = Int32(fields[0]), pid > 1, let startTime = UInt64(fields[1]) else {
            return nil
        }
        self.init(engine: ProcessIdentity(pid: pid, startTime: startTime), bootID: String(fields[2]))
    }

    /// The session that the record leads to, or nil when it cannot be there any more.
    func survivingSession(bootID: String, stat: (Int32) -> ProcessStat?) -> EngineMembership? {
        guard self.bootID == bootID else { return nil }
        // The kernel gives a pid to nobody while a session of that number has a member. So another process with
        // this pid means that the whole session ended, and that today's session of this number is a stranger's.
        if let leader = stat(engine.pid), leader.identity != engine { return nil }
        return EngineMembership(
            session: engine.pid, since: engine.startTime, agent: 0, agentSession: 0, adoptsOrphans: false)
    }
}

/// The file that holds the record.
struct EngineRecordFile: Sendable {
    var path: String

    func load() -> EngineRecord? {
        guard let bytes = try? LinuxFileStore().read(path, limit: 256) else { return nil }
        return EngineRecord(text: String(decoding: bytes, as: UTF8.self))
    }

    func save(_ record: EngineRecord) throws(FileFailure) {
        // Means nothing after a reboot, so there is nothing to keep through a power cut.
        try LinuxFileStore().replace(path, with: Array(record.text.utf8), mode: 0o600, synced: false)
    }

    /// At no moment is there none: an agent can be killed at any.
    func become(_ other: EngineRecordFile) {
        try? LinuxFileStore().move(path, to: other.path)
    }

    /// A record that cannot be removed does no harm: its process is checked before anything is done to it.
    func clear() {
        try? LinuxFileStore().remove(path)
    }
}
