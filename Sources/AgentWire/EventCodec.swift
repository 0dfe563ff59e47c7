package import AgentCore

/// A report as a CloudEvents 1.0 document (structured content mode).
package enum EventCodec {
    package static let contentType = "application/cloudevents+json"

    /// `id` is stable over retries and restarts: the receiver drops what it has seen. `sequence` rises by one per
    /// event of this node, over restarts too.
    package static func render(
        _ report: Report, node: NodeSnapshot, id: String, sequence: UInt64, wallTime: Double
    ) -> [UInt8] {
        var data = SnapshotCodec.common(node)
        data["failure"] = SnapshotCodec.failure(report.failure, exit: report.exit)
        data["engine"] = SnapshotCodec.engine(node)
        // A start that was not without doubts says so where it ends, one way or the other.
        let judged = report.subject == nil ? node.preflight : node.next?.preflight
        if [.failed, .ready].contains(report.kind), let preflight = judged, !preflight.troubles.isEmpty {
            data["preflight"] = SnapshotCodec.preflight(preflight)
        }
        if [.failed, .ready, .phase].contains(report.kind), report.subject == nil {
            data["download"] = node.download.map(SnapshotCodec.download)
        }
        if report.kind == .ready { data["load"] = node.load.map { ExplanationCodec.load($0) } }
        data["caches"] = report.caches.map(SnapshotCodec.caches)
        if !report.faults.isEmpty { data["faults"] = SnapshotCodec.faults(report.faults) }
        // Two phases can begin with one event; each report names its own.
        if let phase = report.phase { data["phase"] = .string(phase.rawValue) }
        if let generation = report.rejectedGeneration { data["rejected_generation"] = .integer(generation) }
        if let subject = report.subject {
            data["serving_generation"] = data["generation"]
            data["generation"] = .integer(subject.generation)
            data["model"] = .string(subject.model)
        }
        if let reason = report.reason { data["reason"] = .string(reason) }
        if let said = report.preemption {
            data.merge(NoticeCodec.fields(said, at: node.takenAt, wallTime: wallTime)) { _, new in new }
        }
        if let source = report.source { data["notice_source"] = NoticeCodec.described(source) }
        let event = JSONValue.object([
            "specversion": .string("1.0"), "id": .string(id), "source": .string("/nodes/\(node.nodeID)"),
            "type": .string("io.crosslogic.node.\(report.kind.rawValue).v1"),
            "time": .string(WallClock.rfc3339(wallTime)), "datacontenttype": .string("application/json"),
            "sequence": .string(padded(sequence)), "data": .object(data),
        ])
        return event.rendered()
    }

    /// Sixteen digits, so that sequences sort as text, in file names too.
    package static func padded(_ sequence: UInt64) -> String {
        let digits = String(sequence)
        return String(repeating: "0", count: max(0, 16 - digits.count)) + digits
    }
}
