internal import AgentCore
internal import AgentWire

/// Asks the control plane for the assignment, for ever: long poll, ETag, pauses as `PollPace` has them.
struct AssignmentPoller: Sendable {
    let settings: AgentSettings
    let ports: AgentPorts
    let inbox: Inbox
    let outbox: Outbox
    let wish: PushWish

    func run() async {
        var pace = PollPace(patience: settings.partitionStop)
        var memory = PollMemory()
        var trouble = Trouble()
        while !Task.isCancelled {
            let asked = ports.clocks.now()
            let (outcome, response) = await poll(etag: memory.etag, pace)
            let held = ports.clocks.now() - asked
            if outcome.isAnswer, trouble.end() {
                outbox.mayTry.raise()
                outbox.retryDeferred()
            }
            switch outcome {
            case .answered(let event, let etag):
                inbox.send(.controlPlaneFound)
                if event?.isAssignment != true { outbox.expectNoAssignment() }
                // First, so that nothing is begun that would not be finished.
                if let response, let event, !memory.isOutdated(event) { tellEnd(response) }
                let news = memory.take(event, etag: etag)
                if let event = news.event { inbox.send(event) }
                // A server that neither holds the request nor minds the ETag must not be asked in a tight loop.
                await pause(pace.answered(after: held, isNews: news.isNewer, fraction: ports.random.fraction))
            case .unchanged:
                inbox.send(.controlPlaneFound)
                await pause(pace.answered(after: held, isNews: false, fraction: ports.random.fraction))
            case .revoked:
                inbox.send(.assignmentRevoked)
                return
            case .failed(let reason):
                if Task.isCancelled { return }
                _ = trouble.begin()
                inbox.send(.controlPlaneLost(reason: reason))
                await pause(pace.failed(retryAfter: response.flatMap(RetryAfter.of), fraction: ports.random.fraction))
            }
        }
    }

    private func pause(_ length: Duration?) async {
        // Cancellation ends the sleep; the loop then ends by itself.
        if let length { try? await Task.sleep(for: length) }
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

    private func poll(etag: String?, _ pace: PollPace) async -> (outcome: PollOutcome, response: HTTPResponse?) {
        var request = Self.request(settings, wait: Int(pace.wait.inSeconds))
        request.timeout = pace.timeout
        if let etag { request.headers.append(("If-None-Match", Secret(etag))) }
        do {
            let response = try await ports.http.send(request)
            wish.note(response)
            return (PollOutcome(response, defaults: settings.assignmentDefaults), response)
        } catch {
            return (.failed(reason: "\(error.kind.rawValue): \(error.message)"), nil)
        }
    }
}

extension AssignmentPoller {
    /// An end may be announced for an assignment that is long in force, and in one that this node cannot serve: it is
    /// the machine's.
    private func tellEnd(_ response: HTTPResponse) {
        let answer = MetadataResponse(
            status: response.status, headers: response.headers, body: response.body, at: response.firstByteAt)
        guard let finding = AssignmentEnd.finding(in: answer, wallTime: ports.clocks.wallTime()) else { return }
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
        guard let event else { return (nil, false) }
        // The document may say more about an assignment that is known, as when it ends.
        if !isOutdated(event) { etag = newETag ?? etag }
        guard event != last else { return (nil, false) }
        guard case .assignmentReceived(let assignment) = event else {
            last = event
            return (event, false)
        }
        if let newest, assignment.generation == newest.generation {
            return (changed(newest, to: assignment), false)
        }
        let isNewer = newest.map { assignment.generation > $0.generation } ?? true
        if isNewer { newest = assignment }
        last = event
        return (event, isNewer)
    }

    /// Of a generation before the newest, as a replica that lags behind may have it.
    func isOutdated(_ event: NodeEvent) -> Bool {
        guard let newest, let generation = event.generationOfAssignment else { return false }
        return generation < newest.generation
    }

    /// One generation is one wish: what differs in it is refused, and said once.
    private mutating func changed(_ newest: Assignment, to assignment: Assignment) -> NodeEvent? {
        guard assignment != newest else { return nil }
        let generation = assignment.generation
        let refusal = NodeEvent.assignmentRejected(generation: generation, faults: [.changedWish(generation)])
        guard refusal != last else { return nil }
        last = refusal
        return refusal
    }
}

/// What one answer to the poll means.
enum PollOutcome: Equatable {
    private static let maximumETagBytes = 256

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
        if let type = response.headers["content-type"], !isJSON(type) {
            return .failed(reason: "answered 200 with \(type.prefix(64)), not JSON")
        }
        do {
            let assignment = try AssignmentCodec.decode(response.body, defaults: defaults)
            let etag = etag(of: response) ?? "\"\(assignment.generation)\""
            return .answered(.assignmentReceived(assignment), etag: etag)
        } catch {
            // What is no JSON object is a broken server or a captive portal, not a bad assignment.
            if error.generation == nil, error.faults.first?.field == "body" {
                return .failed(reason: "answered 200, but \(error.faults[0].problem)")
            }
            let etag = etag(of: response) ?? error.generation.map { "\"\($0)\"" }
            return .answered(
                .assignmentRejected(generation: error.generation, faults: error.faults), etag: etag)
        }
    }

    /// nil for one that no request could bring back: it has characters that end a header, or is as long as all headers
    /// together may be at most servers.
    private static func etag(of response: HTTPResponse) -> String? {
        guard let etag = response.headers["etag"], (1...maximumETagBytes).contains(etag.utf8.count),
            etag.utf8.allSatisfy({ (0x20...0x7E).contains($0) })
        else { return nil }
        return etag
    }

    /// RFC 6838 §4.2.8: whatever ends in `+json` is JSON too.
    private static func isJSON(_ contentType: String) -> Bool {
        let type = contentType.lowercased().prefix { $0 != ";" && $0 != " " }
        return type == "application/json" || type == "text/json" || type.hasSuffix("+json")
    }
}

extension NodeEvent {
    fileprivate var isAssignment: Bool {
        if case .assignmentReceived = self { true } else { false }
    }

    /// nil for what is no assignment, or does not say.
    fileprivate var generationOfAssignment: Int64? {
        switch self {
        case .assignmentReceived(let assignment): assignment.generation
        case .assignmentRejected(let generation, _): generation
        default: nil
        }
    }
}
