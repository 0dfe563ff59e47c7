internal import AgentCore
internal import AgentWire

/// Stores and delivers the outbox, in order: each event is on disk first, then sent until somebody takes it.
struct EventSender: Sendable {
    /// While the agent leaves: several tries must fit into the time it waits for its last events.
    private static let lastPause = Duration.seconds(2)
    private static let lastTimeout = Duration.seconds(4)

    let outbox: Outbox
    let ports: AgentPorts
    let inbox: Inbox
    var backoff = Backoff(first: .milliseconds(250), longest: .seconds(30))

    func run() async {
        await withDiscardingTaskGroup { group in
            group.addTask { await storeForEver() }
            await deliverForEver()
        }
    }

    /// A task of its own, so that no slow receiver keeps an event off the disk.
    private func storeForEver() async {
        while !Task.isCancelled {
            await outbox.added.wait()
            await outbox.storeAll()
            outbox.deliverable.raise()
        }
    }

    private func deliverForEver() async {
        var trouble = Trouble()
        while !Task.isCancelled {
            await outbox.deliverable.wait()
            await deliverAll(&trouble)
            inbox.send(.eventsDelivered)
        }
    }

    private func deliverAll(_ trouble: inout Trouble) async {
        var backoff = backoff
        var saidWaiting = false
        while !Task.isCancelled, let event = outbox.first {
            await outbox.storeAll()
            guard !outbox.wasTaken(event) else {
                await outbox.forget(event)
                continue
            }
            guard let target = outbox.target(for: event) else {
                if !saidWaiting { tellWaiting() }
                saidWaiting = true
                await outbox.mayTry.wait()
                continue
            }
            if let reason = await deliver(event, to: target) {
                if Task.isCancelled { return }
                if trouble.begin() { ports.log.write(.warning, "events are not delivered: \(reason); trying again") }
                let pause = backoff.next(fraction: ports.random.fraction())
                await outbox.mayTry.wait(atMost: outbox.isLeaving ? min(pause, Self.lastPause) : pause)
            } else {
                if trouble.end() { ports.log.write(.notice, "events are delivered again") }
                backoff.reset()
            }
        }
    }

    private func tellWaiting() {
        ports.log.write(.info, "events of an earlier agent wait for the assignment that names their callback")
    }

    /// Answers why the event is still ours; nil when it is off our hands.
    private func deliver(_ event: OutboxEvent, to target: EventTarget) async -> String? {
        let response: HTTPResponse
        do throws(HTTPFailure) {
            response = try await ports.http.send(request(event, to: target))
        } catch {
            return "\(error.kind.rawValue): \(error.message)"
        }
        let status = response.status
        switch EventVerdict(status: status, contentType: response.headers["content-type"]) {
        case .accepted:
            if event.kind == .ready { inbox.send(.readyAcknowledged) }
            await outbox.forget(event)
            return nil
        case .refused:
            ports.log.write(.warning, "event \(event.sequence) was refused with status \(status) and is set aside")
            await outbox.park(event)
            return nil
        case .tryAgain:
            return "answered \(status)"
        }
    }

    func request(_ event: OutboxEvent, to target: EventTarget) -> HTTPRequest {
        var request = HTTPRequest(.post, target.url, timeout: outbox.isLeaving ? Self.lastTimeout : .seconds(10))
        request.body = event.body
        request.maximumResponseBytes = 64 * 1024
        request.mayUseProxy = true
        request.headers = [("Content-Type", Secret(EventCodec.contentType))]
        if let bearer = target.bearer {
            request.headers.append(("Authorization", Secret("Bearer \(bearer.reveal())")))
        }
        if let secret = target.signingSecret {
            request.headers += StandardWebhooks.headers(
                id: event.id, timestamp: Int64(ports.clocks.wallTime()), body: event.body, secret: secret,
                signer: ports.signer)
        }
        return request
    }
}

/// What an answer to an event means.
enum EventVerdict: Equatable {
    case accepted
    /// Sending the same bytes again cannot help.
    case refused
    case tryAgain

    init(status: Int, contentType: String? = nil) {
        switch status {
        // A captive portal or a login page in between answers for a receiver that never saw the event.
        case 200..<300 where contentType?.lowercased().hasPrefix("text/html") == true: self = .tryAgain
        case 200..<300: self = .accepted
        // Time-out, too early, too many, and a token the control plane may yet learn.
        case 401, 403, 404, 408, 425, 429: self = .tryAgain
        case 400..<500: self = .refused
        default: self = .tryAgain
        }
    }
}
