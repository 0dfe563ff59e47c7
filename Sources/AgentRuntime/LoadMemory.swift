internal import AgentCore
internal import AgentWire
internal import Locking

/// How fast earlier loads were, and what they failed of, on disk. Losing it costs speed and nothing else, so trouble
/// with the file is said and never in the way.
actor LoadMemory {
    private static let limit = 1 << 20

    private let path: String
    private let ports: AgentPorts
    /// Waits for disks, so it has a queue of its own.
    private let executor = QueueExecutor(label: "io.crosslogic.load-memory")
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    init(settings: AgentSettings, ports: AgentPorts) {
        path = "\(settings.stateFolder)/learned-loads.json"
        self.ports = ports
    }

    /// nil where nothing is known of such loads. Only looks: a file that cannot be used is left to `learn`.
    func learned(for assignment: Assignment) -> LearnedLoads? {
        guard let bytes = try? ports.files.read(path, limit: Self.limit) else { return nil }
        return (try? LoadHistoryCodec.parse(bytes))?[LoadKey(assignment)]
    }

    func learn(_ lesson: LoadLesson, for key: LoadKey) {
        var history = load()
        history.take(lesson, for: key)
        do throws(FileFailure) {
            try ports.files.writeAtomically(LoadHistoryCodec.render(history), to: path, mode: 0o600)
        } catch {
            ports.log.write(.warning, error.message)
        }
    }

    /// What cannot be used is set aside, for whoever wants to know why.
    private func load() -> LoadHistory {
        do {
            guard let bytes = try ports.files.read(path, limit: Self.limit) else { return LoadHistory() }
            return try LoadHistoryCodec.parse(bytes)
        } catch {
            ports.log.write(.warning, "\(path) cannot be used and is now \(path).bad: \(error)")
            try? ports.files.move(path, to: "\(path).bad")
            return LoadHistory()
        }
    }
}
