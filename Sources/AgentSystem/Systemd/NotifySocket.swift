internal import AgentCore
internal import CSystemd

/// sd_notify(3). Does nothing where there is no service manager, that is without NOTIFY_SOCKET.
package struct NotifySocket: ServiceManager {
    // sd_notify waits while the manager's queue is full, as during daemon-reexec.
    private let outbox = SerialOutbox(label: "io.crosslogic.notify", limit: 64)
    private let target: ServingTarget?

    /// `door` is the socket of `crosslogic-enginectl`, where there is one.
    package init(door: String? = nil) {
        target = door.map(ServingTarget.init)
    }

    package func serving(_ isServing: Bool) {
        target?.set(isServing)
    }

    package func notify(_ state: String) {
        outbox.submit { _ in
            // A manager that cannot be reached cannot be told so either.
            _ = sd_notify(0, state)
        }
    }

    /// Blocks until everything is sent. The last thing before the process exits.
    package func drain() {
        target?.drain()
        outbox.drain()
    }
}
