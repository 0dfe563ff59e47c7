internal import AgentCore

/// Sends one event past everything that waits in the outbox: what a notice is worth is gone in a minute.
///
/// The event is in the outbox as well, so that nothing is lost when this agent ends; its id is the same, and the
/// receiver drops what it has seen.
struct UrgentSender: Sendable {
    private static let timeout = Duration.seconds(2)
    private static let every = Duration.seconds(1)

    let outbox: Outbox
    let ports: AgentPorts
    let sender: EventSender

    /// Returns when somebody has taken the event or refused it for good, or when its task is cancelled.
    func send(_ event: OutboxEvent) async {
        while !Task.isCancelled, outbox.isPending(event) {
            let began = ports.clocks.now()
            guard let target = outbox.target(for: event) else { return }
            switch await verdict(event, target) {
            case .accepted: return outbox.markTaken(event)
            case .refused: return
            case .deferred, .tryAgain: break
            }
            let rest = Self.every - (ports.clocks.now() - began)
            try? await Task.sleep(for: max(rest, .milliseconds(50)))
        }
    }

    private func verdict(_ event: OutboxEvent, _ target: EventTarget) async -> EventVerdict {
        var request = sender.request(event, to: target)
        request.timeout = Self.timeout
        guard let response = try? await ports.urgent.send(request) else { return .tryAgain }
        return EventVerdict(status: response.status, contentType: response.headers["content-type"])
    }
}
