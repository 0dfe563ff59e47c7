internal import AgentCore
internal import AgentWire

/// One event on its way.
struct OutboxEvent: Equatable, Sendable {
    var sequence: UInt64
    /// Stable over retries and restarts.
    var id: String
    /// The CloudEvents document, as it is sent.
    var body: [UInt8]
    /// nil for an event of an earlier agent that is more than a phase.
    var kind: ReportKind?
    /// The callback it is for; nil is the control plane's own endpoint.
    var callbackURL: String?
    var isStored = false
}

extension OutboxEvent {
    /// What is on disk: `{"event":…,"url":…}`, the URL null for the control plane. No secret is in it.
    var record: [UInt8] {
        let url = callbackURL.map(JSONValue.string) ?? .null
        return [UInt8](#"{"event":"#.utf8) + body + [UInt8](#","url":"#.utf8) + url.rendered() + [UInt8]("}".utf8)
    }

    /// nil for what no agent wrote.
    init?(sequence: UInt64, record: [UInt8]) {
        guard let record = try? JSONValue.parse(record), let event = record["event"], let url = record["url"],
            let id = event["id"]?.stringValue, let type = event["type"]?.stringValue
        else { return nil }
        self.init(
            sequence: sequence, id: id, body: event.rendered(), kind: type.hasSuffix(".phase.v1") ? .phase : nil,
            callbackURL: url.stringValue, isStored: true)
    }
}
