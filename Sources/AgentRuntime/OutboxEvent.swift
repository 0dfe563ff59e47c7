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
    /// Refused as things are: those behind it go on.
    var isDeferred = false

    /// Says what became of the node, and not only how far it has come.
    var isDecisive: Bool { kind?.isDecisive ?? true }
}

extension Outbox {
    /// An event that has no number yet.
    struct Draft {
        var kind: ReportKind
        var id: String
        /// To be sent past everything that waits.
        var isUrgent = false
        var render: (UInt64) -> [UInt8]
    }
}

extension ReportKind {
    var isDecisive: Bool {
        switch self {
        case .phase, .noticeSource, .preemptionAdvice, .caches: false
        case .agentStarted, .assignmentAccepted, .assignmentRejected, .ready, .failed, .draining, .stopped, .revoked:
            true
        case .preemption, .preempted, .preemptionWithdrawn: true
        }
    }
}

extension OutboxEvent {
    private static let sumBegins = [UInt8](#"{"crc32":""#.utf8)
    private static let sumEnds = [UInt8](#"","#.utf8)

    /// What is on disk: `{"crc32":"…","event":…,"url":…}`, the URL null for the control plane, the sum that of the bytes
    /// behind its comma. No secret is in it.
    var record: [UInt8] {
        let url = callbackURL.map(JSONValue.string) ?? .null
        let rest = [UInt8](#""event":"#.utf8) + body + [UInt8](#","url":"#.utf8) + url.rendered() + [UInt8]("}".utf8)
        return Self.sumBegins + [UInt8](CRC32.text(of: rest).utf8) + Self.sumEnds + rest
    }

    /// False for a file that was torn or has lost a bit. An agent before 0.2 wrote none of these sums.
    private static func isWhole(_ record: [UInt8]) -> Bool {
        guard record.starts(with: sumBegins) else { return record.starts(with: [UInt8](#"{"event":"#.utf8)) }
        let sum = record.dropFirst(sumBegins.count).prefix(8)
        let rest = record.dropFirst(sumBegins.count + 8)
        return rest.starts(with: sumEnds)
            && CRC32.text(of: rest.dropFirst(sumEnds.count)) == String(decoding: sum, as: UTF8.self)
    }

    /// nil for what no agent wrote, or not like that.
    init?(sequence: UInt64, record: [UInt8]) {
        guard Self.isWhole(record), let record = try? JSONValue.parse(record), let event = record["event"],
            let url = record["url"],
            let id = event["id"]?.stringValue, let type = event["type"]?.stringValue
        else { return nil }
        self.init(
            sequence: sequence, id: id, body: event.rendered(), kind: type.hasSuffix(".phase.v1") ? .phase : nil,
            callbackURL: url.stringValue, isStored: true)
    }
}
