internal import AgentCore
internal import AgentWire

/// Stores and delivers the outbox, in order: each event is on disk first, then sent until somebody takes it.
struct EventSender: Sendable {
    /// While the agent leaves: several tries must fit into the time it waits for its last events.
    private static let lastPause = Duration.seconds(2)
    private static let lastTimeout = Duration.seconds(4)
    private static let maximumAnswerBytes = 64 << 10

    let outbox: Outbox
    let ports: AgentPorts
    let inbox: Inbox
    var backoff = Backoff(first: .milliseconds(250), longest: .seconds(30))
    /// From the first answer that does not take an event until it is seen whether another one is taken.
    var patience = Duration.seconds(3600)
    /// How often a disk that took nothing is tried again while nothing else is to do.
    var diskRetry = Duration.seconds(10)
    /// When what was refused as things were is tried again while nothing else is to do, at the earliest; as much again,
    /// at most, comes on top, since a whole fleet may have been refused at once.
    var deferredRetry = Duration.seconds(300)

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

    /// What is known of the receivers.
    private struct Delivery {
        var news = DeliveryNews()
        var takesBatches = true
        /// The control plane has refused this node, and not an event.
        var isShutOut = false
        /// The newest event there was before the request at hand.
        var newest: UInt64 = 0
        /// The event that is answered, and not taken, and since when.
        var stuck: (sequence: UInt64, since: BootInstant)?
        /// When those that were set aside are tried again; nil while there are none.
        var retryAt: BootInstant?
    }

    private func deliverForEver() async {
        var delivery = Delivery()
        while !Task.isCancelled {
            await waitForWork(&delivery)
            await deliverAll(&delivery)
            inbox.send(.eventsDelivered)
        }
    }

    private func waitForWork(_ delivery: inout Delivery) async {
        guard let retryAt = delivery.retryAt else { return await outbox.deliverable.wait() }
        await outbox.deliverable.wait(atMost: max(retryAt - ports.clocks.now(), .milliseconds(1)))
        guard ports.clocks.now() >= retryAt else { return }
        delivery.retryAt = nil
        _ = outbox.takeUpDeferred()
    }

    private func deliverAll(_ delivery: inout Delivery) async {
        var backoff = backoff
        var saidWaiting = false
        while !Task.isCancelled, let event = outbox.first {
            delivery.newest = outbox.newest
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
            // What was set aside may be back before it since.
            guard let turn = outbox.turn, turn.event.sequence == event.sequence else { continue }
            if await comesBehind(turn.overtakes, to: target, &delivery) { continue }
            guard let setback = await deliver(from: event, to: target, &delivery) else {
                backoff.reset()
                continue
            }
            if Task.isCancelled { return }
            note(.undelivered(setback.reason), &delivery)
            if await passOver(event, after: setback, to: target, &delivery) { continue }
            await rest(backoff.next(fraction: ports.random.fraction()), askedFor: setback.retryAfter)
        }
    }

    private func note(_ outcome: DeliveryNews.Outcome, _ delivery: inout Delivery) {
        let before = delivery.news.problem
        if let line = delivery.news.note(outcome) { ports.log.write(line.level, line.text) }
        if delivery.news.problem != before { inbox.send(.deliveryChanged(problem: delivery.news.problem)) }
    }

    /// What was refused as things were comes first: were it taken now, so would all that follow it, in order.
    ///
    /// Where all of this node was refused, it all goes again, and nothing can overtake. Where it may have been the one
    /// event, this one must not wait for it.
    private func comesBehind(
        _ oldest: OutboxEvent?, to target: EventTarget, _ delivery: inout Delivery
    ) async -> Bool {
        guard let oldest else { return false }
        let isControlPlane = target.bearer != nil
        if isControlPlane, delivery.isShutOut { return outbox.takeUpDeferred() }
        guard await deliver(oldest, to: target, &delivery) == nil else { return false }
        return !outbox.isPending(oldest) || isControlPlane && delivery.isShutOut
    }

    /// An event that a receiver answers with trouble for as long as `patience`, while it takes the one behind it, is
    /// the trouble itself. One whose receiver is in trouble keeps its turn, however long that takes.
    private func passOver(
        _ event: OutboxEvent, after setback: Setback, to target: EventTarget, _ delivery: inout Delivery
    ) async -> Bool {
        guard let status = setback.status, let stuck = delivery.stuck, stuck.sequence == event.sequence else {
            delivery.stuck = setback.status.map { _ in (event.sequence, ports.clocks.now()) }
            return false
        }
        guard ports.clocks.now() - stuck.since >= patience, let next = outbox.behind(event),
            case .success(let response) = await send(request(next, to: target)),
            EventVerdict(status: response.status, contentType: response.headers["content-type"]) == .accepted
        else { return false }
        await settle([(next, .accepted)], response.status, target, &delivery)
        // The receiver may be out of its trouble since.
        guard let again = await deliver(event, to: target, &delivery) else { return true }
        guard again.status != nil else { return false }
        await outbox.park(event)
        note(.parked(status: status), &delivery)
        return true
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
        /// nil where nobody answered.
        var status: Int?
        /// What the receiver asks to be left alone for.
        var retryAfter: Duration?

        init(_ failure: HTTPFailure) { reason = "\(failure.kind.rawValue): \(failure.message)" }

        init(_ response: HTTPResponse) {
            reason = "answered \(response.status)"
            status = response.status
            retryAfter = RetryAfter.of(response)
        }
    }

    /// nil when something is off our hands.
    private func deliver(
        from event: OutboxEvent, to target: EventTarget, _ delivery: inout Delivery
    ) async -> Setback? {
        // A callback of somebody else's may know one event at a time; only the control plane is asked for more.
        guard delivery.takesBatches, target.bearer != nil else { return await deliver(event, to: target, &delivery) }
        let batch = EventBatch(outbox.waiting(for: event.callbackURL))
        guard batch.events.count > 1 else { return await deliver(event, to: target, &delivery) }
        return await deliver(batch, to: target, &delivery)
    }

    private func deliver(
        _ event: OutboxEvent, to target: EventTarget, _ delivery: inout Delivery
    ) async -> Setback? {
        switch await send(request(event, to: target)) {
        case .failure(let failure): return Setback(failure)
        case .success(let response):
            if response.isBodyDropped { note(.answeredAtLength(limit: Self.maximumAnswerBytes), &delivery) }
            let verdict = EventVerdict(status: response.status, contentType: response.headers["content-type"])
            await settle([(event, verdict)], response.status, target, &delivery)
            return verdict == .tryAgain ? Setback(response) : nil
        }
    }

    private func deliver(_ batch: EventBatch, to target: EventTarget, _ delivery: inout Delivery) async -> Setback? {
        switch await send(request(batch.body, id: batch.id, type: EventBatch.contentType, to: target)) {
        case .failure(let failure): return Setback(failure)
        case .success(let response):
            guard let verdicts = batch.verdicts(response) else {
                guard EventBatch.isForeign(response) else { return Setback(response) }
                // One at a time from now on; what it may have taken nevertheless it knows by its ids.
                delivery.takesBatches = false
                return nil
            }
            await settle(Array(zip(batch.events, verdicts)), response.status, target, &delivery)
            return verdicts.contains(.tryAgain) ? Setback(response) : nil
        }
    }

    private func settle(
        _ results: [(event: OutboxEvent, verdict: EventVerdict)], _ status: Int, _ target: EventTarget,
        _ delivery: inout Delivery
    ) async {
        let accepted = results.filter { $0.verdict == .accepted }.map(\.event)
        if accepted.contains(where: { $0.kind == .ready }) { inbox.send(.readyAcknowledged) }
        if !accepted.isEmpty {
            // A callback of somebody else's says nothing about the control plane.
            if target.bearer != nil {
                inbox.send(.controlPlaneHeard)
                delivery.isShutOut = false
            }
            await outbox.forget(accepted)
            note(.taken, &delivery)
            outbox.retryDeferred()
        }
        for (event, verdict) in results where verdict == .refused {
            note(.parked(status: status), &delivery)
            await outbox.park(event)
        }
        for (event, verdict) in results where verdict == .deferred {
            note(.deferred(status: status), &delivery)
            setAside(event, status, target, &delivery)
        }
    }

    private func setAside(_ event: OutboxEvent, _ status: Int, _ target: EventTarget, _ delivery: inout Delivery) {
        delivery.retryAt = ports.clocks.now() + deferredRetry * (1 + ports.random.fraction())
        guard target.bearer != nil else { return outbox.setAside(event) }
        delivery.isShutOut = EventVerdict.isOfNode(status: status)
        if delivery.isShutOut {
            outbox.setAsideAll(for: event.callbackURL, through: delivery.newest)
        } else {
            outbox.setAside(event)
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
        request.maximumResponseBytes = Self.maximumAnswerBytes
        // What the status says is said: a control plane that has taken an event must not get it for ever.
        request.dropsLongBody = true
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
