package import AgentCore

/// Learned starts as the JSON of `learned-starts.json`.
package enum StartHistoryCodec {
    private static let schema: Int64 = 1

    package static func render(_ history: StartHistory) -> [UInt8] {
        JSONValue.object(["schema": .integer(schema), "starts": .array(history.entries.map(entry))])
            .rendered(pretty: true)
    }

    /// The caller has bounded the bytes. Entries that make no sense are left out: a longer estimate is not worth a
    /// refusal.
    package static func parse(_ bytes: [UInt8]) throws(JSONSyntaxError) -> StartHistory {
        let document = try JSONValue.parse(bytes)
        guard document["schema"]?.integerValue == schema, let entries = document["starts"]?.arrayValue else {
            throw JSONSyntaxError(reason: "it is not a list of starts of schema \(schema)")
        }
        return StartHistory(entries: entries.compactMap(entry))
    }

    private static func entry(_ entry: StartHistory.Entry) -> JSONValue {
        .object([
            "model": .string(entry.key.model), "vllm": .string(entry.key.vllm), "gpu": .string(entry.key.gpu),
            "first_since_boot": .bool(entry.key.isFirstSinceBoot), "records": .array(entry.records.map(record)),
        ])
    }

    private static func entry(_ value: JSONValue) -> StartHistory.Entry? {
        guard let model = value["model"]?.stringValue, let vllm = value["vllm"]?.stringValue,
            let gpu = value["gpu"]?.stringValue, let isFirst = value["first_since_boot"]?.boolValue,
            let records = value["records"]?.arrayValue?.compactMap(record), !records.isEmpty
        else { return nil }
        let key = StartKey(model: model, vllm: vllm, gpu: gpu, isFirstSinceBoot: isFirst)
        return StartHistory.Entry(key: key, records: records)
    }

    private static func record(_ record: StartRecord) -> JSONValue {
        let offsets = record.offsets.map { ($0.key.rawValue, JSONValue.number($0.value)) }
        return .object([
            "ready_s": .number(record.ready),
            "phases_s": .object(Dictionary(offsets) { first, _ in first }),
        ])
    }

    private static func record(_ value: JSONValue) -> StartRecord? {
        guard let ready = seconds(value["ready_s"]), case .object(let phases) = value["phases_s"] else { return nil }
        var offsets: [Phase: Double] = [:]
        for (name, offset) in phases {
            if let phase = Phase(rawValue: name), let offset = seconds(offset) { offsets[phase] = offset }
        }
        return StartRecord(offsets: offsets, ready: ready)
    }

    private static func seconds(_ value: JSONValue?) -> Double? {
        guard let number = value?.numberValue, number.isFinite, number >= 0 else { return nil }
        return number
    }
}
