internal import AgentCore
internal import AgentWire

/// Events that go in one request, when more than one waits (CloudEvents 1.0, batched content mode).
struct EventBatch {
    static let contentType = "application/cloudevents-batch+json"
    static let maximumCount = 64
    static let maximumBytes = 256 << 10

    let events: [OutboxEvent]

    /// As many of these, from the first on, as fit into one request.
    init(_ waiting: some Sequence<OutboxEvent>) {
        var events: [OutboxEvent] = []
        var bytes = 1
        for event in waiting.prefix(Self.maximumCount) {
            bytes += event.body.count + 1
            guard bytes < Self.maximumBytes || events.isEmpty else { break }
            events.append(event)
        }
        self.events = events
    }

    var body: [UInt8] {
        [UInt8(ascii: "[")] + events.map(\.body).joined(separator: [UInt8(ascii: ",")]) + [UInt8(ascii: "]")]
    }

    /// The same over retries of the same events.
    var id: String { "\(events[0].id).\(events.count)" }

    /// One for each event, in their order; nil for an answer that does not say so: the receiver knows no batches.
    func verdicts(_ response: HTTPResponse) -> [EventVerdict]? {
        if EventVerdict(status: response.status) == .deferred { return events.map { _ in .deferred } }
        guard response.status == 200, let document = try? JSONValue.parse(response.body),
            let results = document["results"]?.arrayValue, results.count == events.count
        else { return nil }
        var verdicts: [EventVerdict] = []
        for (event, result) in zip(events, results) {
            guard result["id"]?.stringValue == event.id, let status = result["status"]?.integerValue else { return nil }
            verdicts.append(EventVerdict(status: Int(clamping: status)))
        }
        return verdicts
    }

    /// Whether this answer says that batches are not understood, and not that something else is wrong.
    static func isForeign(_ response: HTTPResponse) -> Bool {
        switch EventVerdict(status: response.status, contentType: response.headers["content-type"]) {
        case .accepted, .refused: true
        case .deferred, .tryAgain: false
        }
    }
}
