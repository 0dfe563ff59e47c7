internal import AgentCore

/// Where the time of a start went, as JSON.
enum SpanCodec {
    /// Seconds on the clock of the spans, less `origin`.
    static func phases(_ account: StartAccount, since origin: BootInstant? = nil) -> JSONValue {
        .array(
            account.spans.map { span in
                var fields = common(span)
                fields["start_s"] = .number(seconds(span.start, since: origin))
                fields["end_s"] = .number(seconds(span.end, since: origin))
                fields["seconds"] = .number(span.seconds)
                fields["rate_bytes_per_s"] = span.bytesPerSecond.map(JSONValue.number)
                return .object(fields)
            })
    }

    /// In order, without times.
    static func timelessPhases(_ account: StartAccount) -> JSONValue {
        .array(
            account.spans.map { span in
                var fields = common(span)
                for name in ["start_s", "end_s", "seconds"] { fields[name] = .null }
                return .object(fields)
            })
    }

    private static func common(_ span: PhaseSpan) -> [String: JSONValue] {
        var fields: [String: JSONValue] = [
            "name": .string(span.phase.rawValue), "source": .string(span.startSource.rawValue),
            "end_source": span.endSource.map { .string($0.rawValue) } ?? .null,
            "detail": span.detail.map(JSONValue.string) ?? .null,
        ]
        fields["bytes"] = span.bytes.map(JSONValue.integer)
        return fields
    }

    private static func seconds(_ instant: BootInstant, since origin: BootInstant?) -> Double {
        guard let origin else { return instant.seconds }
        return (instant - origin).inSeconds
    }
}
