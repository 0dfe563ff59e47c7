internal import AgentCore
internal import AgentWire
internal import Locking

/// What earlier starts took, on disk. Losing it costs estimates and nothing else, so trouble with the file is said and
/// never in the way.
actor StartMemory {
    private static let limit = 1 << 20

    private let settings: AgentSettings
    private let ports: AgentPorts
    private var key: StartKey?
    /// Waits for disks, so it has a queue of its own.
    private let executor = QueueExecutor(label: "io.crosslogic.start-memory")
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    init(settings: AgentSettings, ports: AgentPorts) {
        self.settings = settings
        self.ports = ports
    }

    /// nil when there was no such start, or what was known of it cannot be read.
    func expectation(for assignment: Assignment, on install: EngineInstall?) -> StartExpectation? {
        let key = StartKey(
            model: assignment.model, vllm: install?.vllm?.text ?? "unknown", gpu: assignment.gpu ?? "unknown",
            isFirstSinceBoot: isFirstSinceBoot)
        self.key = key
        return load().expectation(for: key)
    }

    func learn(_ record: StartRecord) {
        guard let key else { return }
        var history = load()
        history.learn(record, for: key)
        do throws(FileFailure) {
            try ports.files.writeAtomically(StartHistoryCodec.render(history), to: path, mode: 0o600)
            try ports.files.writeForThisBoot([], to: marker, mode: 0o600)
        } catch {
            ports.log.write(.warning, error.message)
        }
    }

    private var path: String { "\(settings.stateFolder)/learned-starts.json" }

    /// On a file system that is empty after a boot.
    private var marker: String { "\(settings.runtimeFolder)/started-since-boot" }

    private var isFirstSinceBoot: Bool {
        (try? ports.files.read(marker, limit: 1)) == nil
    }

    private func load() -> StartHistory {
        do {
            guard let bytes = try ports.files.read(path, limit: Self.limit) else { return StartHistory() }
            return try StartHistoryCodec.parse(bytes)
        } catch {
            ports.log.write(.warning, "\(path) cannot be used, estimates start anew: \(error)")
            return StartHistory()
        }
    }
}
