package import AgentCore

/// A notice as it lies on disk. Times are on the boot clock, so a file of another boot means nothing.
package enum NoticeCodec {
    package static let maximumBytes = 16 << 10

    package static func render(_ notice: Notice, isOver: Bool, boot: String) -> [UInt8] {
        JSONValue.object([
            "boot_id": .string(boot), "id": .string(notice.id), "kind": .string(notice.kind.rawValue),
            "source": .string(notice.source), "first_seen_ns": .integer(notice.firstSeenAt.nanoseconds),
            "deadline_ns": .integer(notice.deadline.nanoseconds), "word": .string(notice.word),
            "is_over": .bool(isOver), "origin": .string(notice.origin),
        ]).rendered()
    }

    /// nil for what is no notice of this boot.
    package static func parse(_ bytes: [UInt8], boot: String) -> (notice: Notice, isOver: Bool)? {
        guard let document = try? JSONValue.parse(bytes), document["boot_id"]?.stringValue == boot,
            let id = document["id"]?.stringValue, let source = document["source"]?.stringValue,
            let kind = document["kind"]?.stringValue.flatMap(NoticeKind.init(rawValue:)),
            let firstSeen = document["first_seen_ns"]?.integerValue,
            let deadline = document["deadline_ns"]?.integerValue
        else { return nil }
        let notice = Notice(
            id: id, kind: kind, source: source, firstSeenAt: BootInstant(nanoseconds: firstSeen),
            deadline: BootInstant(nanoseconds: deadline), word: document["word"]?.stringValue ?? "",
            origin: document["origin"]?.stringValue ?? "")
        return (notice, document["is_over"]?.boolValue ?? false)
    }

    /// The notice as events and heartbeat tell it. Seconds are from `now` on; the wall time is this machine's and as
    /// right as its clock.
    static func described(_ notice: Notice, cut: BootInstant?, at now: BootInstant, wallTime: Double) -> JSONValue {
        var fields: [String: JSONValue] = [
            "id": .string(notice.id), "kind": .string(notice.kind.rawValue), "source": .string(notice.source),
            "word": .string(notice.word), "first_seen_s": .number(notice.firstSeenAt.seconds),
            "deadline_s": .number(notice.deadline.seconds), "seconds_left": .number(notice.left(at: now)),
            "deadline": .string(WallClock.rfc3339(wallTime + notice.left(at: now))),
        ]
        if let cut {
            fields["cut_s"] = .number(cut.seconds)
            fields["seconds_to_cut"] = .number((cut - now).inSeconds)
        }
        return .object(fields)
    }

    /// What an event says about a notice.
    static func fields(_ report: PreemptionReport, at now: BootInstant, wallTime: Double) -> [String: JSONValue] {
        var fields: [String: JSONValue] = [
            "notice": described(report.notice, cut: report.cut, at: now, wallTime: wallTime),
            "notice_status": .string(report.status.rawValue), "resumed": .bool(report.isResumed),
        ].merging(self.fields(report.place)) { one, _ in one }
        if report.status == .pending || report.status == .over {
            fields["in_flight"] = report.inFlight.map { .integer(Int64($0)) } ?? .null
        }
        if let outcome = report.outcome {
            fields["finished"] = outcome.finished.map { .integer(Int64($0)) } ?? .null
            fields["cut"] = outcome.cut.map { .integer(Int64($0)) } ?? .null
            fields["seconds_used"] = .number(outcome.used.inSeconds)
            fields["seconds_left"] = .number(outcome.left.inSeconds)
        }
        return fields
    }

    static func fields(_ place: CloudPlace) -> [String: JSONValue] {
        [
            "cloud": .string(place.cloud.rawValue), "region": place.region.map(JSONValue.string) ?? .null,
            "zone": place.zone.map(JSONValue.string) ?? .null,
            "instance_type": place.instanceType.map(JSONValue.string) ?? .null,
        ]
    }

    static func described(_ source: SourceHealth) -> JSONValue {
        .object([
            "name": .string(source.name), "state": .string(source.state.rawValue),
            "since_s": .number(source.since.seconds),
            "last_answer_s": source.lastAnswerAt.map { .number($0.seconds) } ?? .null,
            "reason": source.reason.map(JSONValue.string) ?? .null,
        ])
    }
}
