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
    /// How often a disk that took nothing is tried again while nothing else is to do.
    var diskRetry = Duration.seconds(10)

    func run() async {
        await withDiscardingTaskGroup { group in
            group.addTask { await storeForEver() }
            await deliverForEver()
        }
    }

    /// A task of its own, so that no slow receiver keeps an event off the disk.
    private func storeForEver() async {
        var told: String?
        while !Task.isCancelled {
            if outbox.diskProblem == nil {
                await outbox.added.wait()
            } else {
                await outbox.added.wait(atMost: diskRetry)
            }
            await outbox.storeAll()
            if outbox.diskProblem != told {
                told = outbox.diskProblem
                inbox.send(.storageChanged(problem: told))
            }
            outbox.deliverable.raise()
        }
    }

    private func deliverForEver() async {
        var trouble = Trouble()
        var takesBatches = true
        while !Task.isCancelled {
            await outbox.deliverable.wait()
            await deliverAll(&trouble, &takesBatches)
            inbox.send(.eventsDelivered)
        }
    }

    private func deliverAll(_ trouble: inout Trouble, _ takesBatches: inout Bool) async {
        var backoff = backoff
        var saidWaiting = false
        while !Task.isCancelled, let event = outbox.first {
            await outbox.storeAll()
            guard !outbox.wasTaken(event) else {
                await outbox.forget([event])
                continue
            }
            guard let target = outbox.target(for: event) else {
                if !saidWaiting { tellWaiting() }
                saidWaiting = true
                await outbox.mayTry.wait()
                continue
            }
            if let setback = await deliver(from: event, to: target, &takesBatches) {
                if Task.isCancelled { return }
                if trouble.begin() {
                    ports.log.write(.warning, "events are not delivered: \(setback.reason); trying again")
                }
                await rest(backoff.next(fraction: ports.random.fraction()), askedFor: setback.retryAfter)
            } else {
                if trouble.end() { ports.log.write(.notice, "events are delivered again") }
                backoff.reset()
            }
        }
    }

    /// What the receiver asks for is the least, and nothing but the agent's end shortens it; the jitter comes on top,
    /// because it asks everybody for the same.
    private func rest(_ pause: Duration, askedFor retryAfter: Duration?) async {
        let until = ports.clocks.now() + (retryAfter ?? .zero)
        while !Task.isCancelled, !outbox.isLeaving, ports.clocks.now() < until {
            await outbox.mayTry.wait(atMost: max(until - ports.clocks.now(), .milliseconds(1)))
        }
        await outbox.mayTry.wait(atMost: outbox.isLeaving ? min(pause, Self.lastPause) : pause)
    }

    private func tellWaiting() {
        ports.log.write(.info, "events of an earlier agent wait for the assignment that names their callback")
    }
}

// MARK: One request

extension EventSender {
    /// Why events are still ours.
    private struct Setback {
        var reason: String
        /// What the receiver asks to be left alone for.
        var retryAfter: Duration?

        init(_ failure: HTTPFailure) { reason = "\(failure.kind.rawValue): \(failure.message)" }

        init(_ response: HTTPResponse) {
            reason = "answered \(response.status)"
            retryAfter = RetryAfter.of(response)
        }
    }

    /// nil when something is off our hands.
    private func deliver(
        from event: OutboxEvent, to target: EventTarget, _ takesBatches: inout Bool
    ) async -> Setback? {
        // A callback of somebody else's may know one event at a time; only the control plane is asked for more.
        guard takesBatches, target.bearer != nil else { return await deliver(event, to: target) }
        let batch = EventBatch(outbox.waiting(for: event.callbackURL))
        guard batch.events.count > 1 else { return await deliver(event, to: target) }
        return await deliver(batch, to: target, &takesBatches)
    }

    private func deliver(_ event: OutboxEvent, to target: EventTarget) async -> Setback? {
        switch await send(request(event, to: target)) {
        case .failure(let failure): return Setback(failure)
        case .success(let response):
            let verdict = EventVerdict(status: response.status, contentType: response.headers["content-type"])
            await settle([(event, verdict)], response.status, target)
            return verdict == .tryAgain ? Setback(response) : nil
        }
    }

    private func deliver(_ batch: EventBatch, to target: EventTarget, _ takesBatches: inout Bool) async -> Setback? {
        switch await send(request(batch.body, id: batch.id, type: EventBatch.contentType, to: target)) {
        case .failure(let failure): return Setback(failure)
        case .success(let response):
            guard let verdicts = batch.verdicts(response) else {
                guard EventBatch.isForeign(response) else { return Setback(response) }
                // One at a time from now on; what it may have taken nevertheless it knows by its ids.
                takesBatches = false
                return nil
            }
            await settle(Array(zip(batch.events, verdicts)), response.status, target)
            return verdicts.contains(.tryAgain) ? Setback(response) : nil
        }
    }

    private func settle(
        _ results: [(event: OutboxEvent, verdict: EventVerdict)], _ status: Int, _ target: EventTarget
    ) async {
        let accepted = results.filter { $0.verdict == .accepted }.map(\.event)
        // A callback of somebody else's says nothing about the control plane.
        if !accepted.isEmpty, target.bearer != nil { inbox.send(.controlPlaneHeard) }
        if accepted.contains(where: { $0.kind == .ready }) { inbox.send(.readyAcknowledged) }
        if !accepted.isEmpty { await outbox.forget(accepted) }
        for (event, verdict) in results where verdict == .refused {
            ports.log.write(.warning, "event \(event.sequence) was refused with status \(status) and is set aside")
            await outbox.park(event)
        }
    }

    private func send(_ request: HTTPRequest) async -> Result<HTTPResponse, HTTPFailure> {
        do throws(HTTPFailure) {
            return .success(try await ports.http.send(request))
        } catch {
            return .failure(error)
        }
    }

    func request(_ event: OutboxEvent, to target: EventTarget) -> HTTPRequest {
        request(event.body, id: event.id, type: EventCodec.contentType, to: target)
    }

    private func request(_ body: [UInt8], id: String, type: String, to target: EventTarget) -> HTTPRequest {
        var request = HTTPRequest(.post, target.url, timeout: outbox.isLeaving ? Self.lastTimeout : .seconds(10))
        request.body = body
        request.maximumResponseBytes = 64 * 1024
        request.mayUseProxy = true
        request.headers = [("Content-Type", Secret(type))]
        if let bearer = target.bearer {
            request.headers.append(("Authorization", Secret("Bearer \(bearer.reveal())")))
        }
        if let secret = target.signingSecret {
            request.headers += StandardWebhooks.headers(
                id: id, timestamp: Int64(ports.clocks.wallTime()), body: body, secret: secret, signer: ports.signer)
        }
        return request
    }
}
