internal import AgentCore
internal import AgentWire

/// Asks the control plane for the assignment, for ever: long poll, ETag, backoff with full jitter.
struct AssignmentPoller: Sendable {
    /// Seconds the control plane may hold the request.
    private static let wait = 30
    /// "Nothing new" sooner than this comes from a server that does not hold requests.
    private static let heldAtLeast = Duration.seconds(1)

    let settings: AgentSettings
    let ports: AgentPorts
    let inbox: Inbox
    let outbox: Outbox
    let wish: PushWish

    func run() async {
        var backoff = Backoff(first: .milliseconds(500), longest: .seconds(30))
        var memory = PollMemory()
        var trouble = Trouble()
        while !Task.isCancelled {
            let asked = ports.clocks.now()
            let outcome = await poll(etag: memory.etag)
            let wasHeld = ports.clocks.now() - asked >= Self.heldAtLeast
            if outcome.isAnswer, trouble.end() { outbox.mayTry.raise() }
            switch outcome {
            case .answered(let event, let etag):
                inbox.send(.controlPlaneFound)
                if event?.isAssignment != true { outbox.expectNoAssignment() }
                let news = memory.take(event, etag: etag)
                if let event = news.event { inbox.send(event) }
                // A server that neither holds the request nor minds the ETag must not be asked in a tight loop.
                if news.isNewer || wasHeld { backoff.reset() } else { await pause(&backoff) }
            case .unchanged:
                if wasHeld { backoff.reset() } else { await pause(&backoff) }
                inbox.send(.controlPlaneFound)
            case .revoked:
                inbox.send(.assignmentRevoked)
                return
            case .failed(let reason):
                if Task.isCancelled { return }
                _ = trouble.begin()
                inbox.send(.controlPlaneLost(reason: reason))
                await pause(&backoff)
            }
        }
    }

    private func pause(_ backoff: inout Backoff) async {
        // Cancellation ends the sleep; the loop then ends by itself.
        try? await Task.sleep(for: backoff.next(fraction: ports.random.fraction()))
    }

    /// `wait` is the seconds that the control plane may hold it.
    static func request(_ settings: AgentSettings, wait: Int) -> HTTPRequest {
        let base = settings.controlPlaneURL
        let url = "\(base)/api/v1/nodes/\(settings.nodeID)/assignment?wait=\(wait)"
        var request = HTTPRequest(.get, url, timeout: .seconds(wait + 15))
        request.maximumResponseBytes = AssignmentCodec.maximumBytes
        request.mayUseProxy = true
        request.headers = [
            ("Authorization", Secret("Bearer \(settings.nodeToken.reveal())")), ("Accept", Secret("application/json")),
        ]
        return request
    }

    private func poll(etag: String?) async -> PollOutcome {
        var request = Self.request(settings, wait: Self.wait)
        if let etag { request.headers.append(("If-None-Match", Secret(etag))) }
        do {
            let response = try await ports.http.send(request)
            wish.note(response)
            tellEnd(response)
            return PollOutcome(response, defaults: settings.assignmentDefaults)
        } catch {
            return .failed(reason: "\(error.kind.rawValue): \(error.message)")
        }
    }
}

extension AssignmentPoller {
    /// An end may be announced for an assignment that is long in force.
    private func tellEnd(_ response: HTTPResponse) {
        let answer = MetadataResponse(
            status: response.status, headers: response.headers, body: response.body, at: response.firstByteAt)
        guard let finding = AssignmentEnd.finding(in: answer) else { return }
        inbox.send(.preemption(.found(finding, source: AssignmentEnd.source)))
    }
}

/// What the control plane has said before, so that nothing is told twice.
struct PollMemory {
    /// Of the last answer that said something.
    private(set) var etag: String?
    private var newest: Assignment?
    private var last: NodeEvent?

    /// - Returns: the event where it says something new, and whether it is a newer assignment than all before.
    mutating func take(_ event: NodeEvent?, etag newETag: String?) -> (event: NodeEvent?, isNewer: Bool) {
        guard let event, event != last else { return (nil, false) }
        guard case .assignmentReceived(let assignment) = event else {
            (last, etag) = (event, newETag ?? etag)
            return (event, false)
        }
        if let newest, assignment.generation == newest.generation {
            // The document may say more about it, as when it ends.
            etag = newETag ?? etag
            return (changed(newest, to: assignment), false)
        }
        let isNewer = newest.map { assignment.generation > $0.generation } ?? true
        if isNewer { (newest, etag) = (assignment, newETag ?? etag) }
        last = event
        return (event, isNewer)
    }

    /// One generation is one wish: what differs in it is refused, and said once.
    private mutating func changed(_ newest: Assignment, to assignment: Assignment) -> NodeEvent? {
        guard assignment != newest else { return nil }
        let fault = FieldFault(
            field: "generation",
            problem: "\(newest.generation) says something else than before; a change needs a new one")
        let refusal = NodeEvent.assignmentRejected(generation: assignment.generation, faults: [fault])
        guard refusal != last else { return nil }
        last = refusal
        return refusal
    }
}

/// What one answer to the poll means.
enum PollOutcome: Equatable {
    case answered(NodeEvent?, etag: String?)
    case unchanged
    case revoked
    case failed(reason: String)

    var isAnswer: Bool {
        if case .failed = self { false } else { true }
    }

    init(_ response: HTTPResponse, defaults: AssignmentDefaults) {
        switch response.status {
        case 200: self = Self.body(response, defaults: defaults)
        case 304: self = .unchanged
        case 404: self = .answered(nil, etag: nil)
        case 410: self = .revoked
        case 401: self = .failed(reason: "401: it does not know this node's token")
        case 403: self = .failed(reason: "403: this token may not read this node's assignment")
        default: self = .failed(reason: "answered \(response.status)")
        }
    }

    private static func body(_ response: HTTPResponse, defaults: AssignmentDefaults) -> PollOutcome {
        do {
            let assignment = try AssignmentCodec.decode(response.body, defaults: defaults)
            let etag = response.headers["etag"] ?? "\"\(assignment.generation)\""
            return .answered(.assignmentReceived(assignment), etag: etag)
        } catch {
            // What is no JSON object is a broken server or a captive portal, not a bad assignment.
            if error.generation == nil, error.faults.first?.field == "body" {
                return .failed(reason: "answered 200, but \(error.faults[0].problem)")
            }
            let etag = response.headers["etag"] ?? error.generation.map { "\"\($0)\"" }
            return .answered(
                .assignmentRejected(generation: error.generation, faults: error.faults), etag: etag)
        }
    }
}

extension NodeEvent {
    fileprivate var isAssignment: Bool {
        if case .assignmentReceived = self { true } else { false }
    }
}
