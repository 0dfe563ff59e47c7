internal import AgentCore

/// logind's word as a source of notices like any other.
struct ShutdownSource: Sendable {
    static let name = "logind"
    private static let key = "shutdown"

    let monitor: any ShutdownMonitor
    let clocks: any Clocks
    let inbox: Inbox
    /// From the power button to the plug on this cloud.
    let softOff: Duration

    func run() async {
        var delay = Duration.zero
        for await event in monitor.watch() {
            switch event {
            case .watching(let granted):
                delay = granted
                send(.listed(key: Self.key, []))
            case .announced:
                let deadline = clocks.now() + max(delay, softOff)
                send(.listed(key: Self.key, [Sighting(.shutdown, origin: Self.key, deadline: deadline)]))
            case .cancelled: send(.over(key: Self.key))
            case .lost(let reason): send(.failed(reason: reason))
            }
        }
    }

    private func send(_ finding: SourceFinding) {
        inbox.send(.preemption(.found(finding, source: Self.name)))
    }
}
