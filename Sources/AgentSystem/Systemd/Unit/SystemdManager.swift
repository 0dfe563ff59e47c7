internal import AgentCore
internal import Dispatch
internal import Locking

/// PID 1 over the system bus, which tells anybody how a unit is without a program being run for it.
actor SystemdManager {
    private let executor = QueueExecutor(label: "io.crosslogic.systemd-manager")
    nonisolated var unownedExecutor: UnownedSerialExecutor { executor.asUnownedSerialExecutor() }

    private var connection: ManagerConnection?

    /// Opens the connection before it is needed. Returns at once.
    nonisolated func connect() {
        executor.queue.async { self.assumeIsolated { _ = $0.connected() } }
    }

    /// Calls `told` on a queue of its own; never where the process still runs, or nobody answers.
    nonisolated func askForMainExit(of place: EnginePlace, told: @escaping @Sendable (MainExit) -> Void) {
        executor.queue.async {
            if let exit = self.assumeIsolated({ $0.mainExit(of: place) }) { told(exit) }
        }
    }

    private func mainExit(of place: EnginePlace) -> MainExit? {
        guard let connection = connected() else { return nil }
        do throws(SystemError) {
            return try connection.mainExit(of: place)
        } catch {
            // The next question opens another.
            self.connection = nil
            return nil
        }
    }

    private func connected() -> ManagerConnection? {
        if connection == nil { connection = try? ManagerConnection() }
        return connection
    }
}
