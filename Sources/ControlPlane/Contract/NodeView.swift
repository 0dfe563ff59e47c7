internal import AgentWire

/// A node as an operator sees it: the request, and where its newest event says it is.
enum NodeView {
    /// Shows no secret: neither the token nor the callback's secret is part of a record.
    ///
    /// `withHeartbeat`: the whole document that the node pushed last, where it pushes.
    static func of(_ record: NodeRecord, _ look: Fleet.Look, withHeartbeat: Bool = false) -> JSONValue {
        var view = shown(record.request)
        view["id"] = .string(record.id)
        view["generation"] = .integer(record.generation)
        view["created_at"] = .string(record.createdAt)
        view["end"] = record.end ?? .null
        view["revoked"] = .bool(record.revokedAt != nil)
        for name in ["state", "phase", "timings", "timeline", "phases", "failure"] {
            view[name] = record.newestEvent?["data"]?[name] ?? .null
        }
        view["startup_s"] = record.readyEvent?["data"]?["timings"]?["assignment_to_ready_s"] ?? .null
        view["last_event_at"] = record.lastEventAt.map(JSONValue.string) ?? .null
        view["events"] = .integer(Int64(record.eventCount))
        view["incarnation"] = .integer(record.incarnation)
        view["liveness"] = .object([
            "status": .string(look.status.rawValue), "silent_s": look.silence.map(JSONValue.number) ?? .null,
        ])
        view["heartbeat"] =
            look.beat.map { beat in
                var fields = heartbeat(beat.heartbeat, age: look.beatAge, whole: withHeartbeat)
                fields["is_overtaken"] = .bool(isOvertaken(beat.heartbeat, by: record.newestEvent))
                return .object(fields)
            } ?? .null
        view["sequence_gaps"] = .array(record.sequenceGaps.map(gap))
        return .object(view)
    }

    /// An event tells at once what the next heartbeat would: by the node's clock, as events may come late.
    private static func isOvertaken(_ heartbeat: NodeHeartbeat, by event: JSONValue?) -> Bool {
        guard let beat = heartbeat.time, let text = event?["time"]?.stringValue,
            let told = WallClock.seconds(rfc3339: text)
        else { return false }
        return told > beat
    }

    /// Shown beside what the events say, not mixed with it.
    private static func heartbeat(_ heartbeat: NodeHeartbeat, age: Double?, whole: Bool) -> [String: JSONValue] {
        var fields: [String: JSONValue] = [
            "age_s": age.map(JSONValue.number) ?? .null, "state": .string(heartbeat.state),
            "phase": heartbeat.phase.map(JSONValue.string) ?? .null,
            "fraction": heartbeat.fraction.map(JSONValue.number) ?? .null,
        ]
        if whole { fields["document"] = (try? JSONReader.parse(heartbeat.text)) ?? .null }
        return fields
    }

    private static func gap(_ gap: SequenceGap) -> JSONValue {
        .object(["from": .integer(gap.first), "to": .integer(gap.last)])
    }

    /// Fields this server does not know are kept, but one that is named like a secret is not shown.
    private static func shown(_ request: JSONValue) -> [String: JSONValue] {
        guard case .object(let fields) = request else { return [:] }
        return fields.filter { !isNamedLikeSecret($0.key) }.mapValues(withoutSecrets)
    }

    private static func withoutSecrets(_ value: JSONValue) -> JSONValue {
        switch value {
        case .object: .object(shown(value))
        case .array(let items): .array(items.map(withoutSecrets))
        case .null, .bool, .integer, .number, .string: value
        }
    }

    private static func isNamedLikeSecret(_ name: String) -> Bool {
        let words = name.lowercased().split { !$0.isLetter }
        return words.contains { ["secret", "token", "password", "key", "credential", "credentials"].contains($0) }
    }
}
