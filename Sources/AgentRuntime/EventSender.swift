internal import AgentCore
internal import AgentWire

/// Delivers the outbox in order: each event on disk first, then sent until somebody takes it.
struct EventSender: Sendable {
    let outbox: Outbox
    let ports: AgentPorts
    let inbox: Inbox

    func run() async {
        for await _ in outbox.wakes {
            await deliverAll()
            inbox.send(.eventsDelivered)
        }
    }

    private func deliverAll() async {
        var backoff = Backoff(first: .milliseconds(250), longest: .seconds(30))
        var persisted: UInt64 = 0
        while !Task.isCancelled, let (item, target) = outbox.first() {
            if persisted != item.sequence {
                attempt("keeping event \(item.sequence) on disk") { () throws(FileFailure) in
                    try outbox.persist(item)
                }
                persisted = item.sequence
            }
            if await deliver(item, to: target) {
                backoff.reset()
            } else {
                // Cancellation ends the sleep; the loop then ends by itself.
                try? await Task.sleep(for: backoff.next(fraction: ports.random.fraction()))
            }
        }
    }

    /// Answers whether the event is off our hands.
    private func deliver(_ item: Outbox.Item, to target: EventTarget) async -> Bool {
        guard let response = try? await ports.http.send(request(item, to: target)) else { return false }
        switch EventVerdict(status: response.status) {
        case .accepted:
            if item.kind == .ready { inbox.send(.readyAcknowledged) }
            attempt("forgetting event \(item.sequence)") { () throws(FileFailure) in try outbox.remove(item) }
            return true
        case .refused:
            ports.log.write(
                .warning, "event \(item.sequence) was refused with status \(response.status) and is set aside")
            attempt("setting event \(item.sequence) aside") { () throws(FileFailure) in try outbox.park(item) }
            return true
        case .tryAgain:
            return false
        }
    }

    private func request(_ item: Outbox.Item, to target: EventTarget) -> HTTPRequest {
        var request = HTTPRequest(.post, target.url, timeout: .seconds(10))
        request.body = item.body
        request.maximumResponseBytes = 64 * 1024
        request.mayUseProxy = true
        request.headers = [("Content-Type", Secret(EventCodec.contentType))]
        if let bearer = target.bearer {
            request.headers.append(("Authorization", Secret("Bearer \(bearer.reveal())")))
        }
        if let secret = target.signingSecret {
            request.headers += StandardWebhooks.headers(
                id: item.id, timestamp: Int64(ports.clocks.wallTime()), body: item.body, secret: secret,
                signer: ports.signer)
        }
        return request
    }

    /// A full disk must not keep an event from being told.
    private func attempt(_ what: String, _ body: () throws(FileFailure) -> Void) {
        do throws(FileFailure) {
            try body()
        } catch {
            ports.log.write(.warning, "\(what): \(error.message)")
        }
    }
}

/// What an answer to an event means.
enum EventVerdict: Equatable {
    case accepted
    /// Sending the same bytes again cannot help.
    case refused
    case tryAgain

    init(status: Int) {
        switch status {
        case 200..<300: self = .accepted
        // Time-out, too early, too many, and a token the control plane may yet learn.
        case 401, 403, 404, 408, 425, 429: self = .tryAgain
        case 410: self = .accepted
        case 400..<500: self = .refused
        default: self = .tryAgain
        }
    }
}
