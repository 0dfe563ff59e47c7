package import AgentCore

/// What a log was found to say, as the JSON of `explain`.
package enum ExplanationCodec {
    package static func document(_ explanation: StartExplanation) -> JSONValue {
        let account = explanation.account
        let counts = explanation.hasTimes && account.begin != nil
        return .object([
            "vllm_version": optional(explanation.version.map(JSONValue.string)),
            "outcome": .string(explanation.outcome.rawValue),
            "failure": SnapshotCodec.failure(explanation.failure, exit: nil) ?? .null,
            "phases": counts
                ? SpanCodec.phases(account, since: account.begin) : SpanCodec.timelessPhases(account),
            "load": load(explanation.load),
            "unattributed_s": counts ? .number(account.unattributed) : .null,
            "total_s": counts ? .number(account.total) : .null,
            "crosschecks": .array(explanation.crossChecks.map(crossCheck)),
            "notes": .array(explanation.notes.map(JSONValue.string)),
            "advice": .array(explanation.advice.map(JSONValue.string)),
            "clock": .object([
                "kind": .string(explanation.clock.kind.rawValue),
                "resolution_s": optional(
                    explanation.hasTimes ? .number(explanation.clock.isCoarse ? 1 : 0.001) : nil),
            ]),
            "starts": .integer(Int64(explanation.starts)),
            "unknown_lines": .integer(Int64(explanation.unknownLines)),
        ])
    }

    static func load(_ load: LoadSummary?) -> JSONValue {
        guard let load else { return .null }
        return .object([
            "loader": optional(load.loader.map(JSONValue.string)),
            "seconds": optional(load.seconds.map(JSONValue.number)),
            "gib": optional(load.gib.map(JSONValue.number)),
            "bytes": optional(load.bytes.flatMap { Int64(exactly: $0.rounded()) }.map(JSONValue.integer)),
            "rate_bytes_per_s": optional(load.bytesPerSecond.map(JSONValue.number)),
            "concurrency": optional(load.concurrency.map { .integer(Int64($0)) }),
            "memory_limit": optional(load.memoryLimit.map { .integer(Int64($0)) }),
            "streamed": .bool(load.isStreamed),
        ])
    }

    private static func crossCheck(_ check: CrossCheck) -> JSONValue {
        .object([
            "what": .string(check.what), "stated_s": .number(check.stated), "measured_s": .number(check.measured),
            "difference_s": .number(check.difference),
        ])
    }

    private static func optional(_ value: JSONValue?) -> JSONValue { value ?? .null }
}
