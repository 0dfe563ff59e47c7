package import AgentCore

/// Learned loads as the JSON of `learned-loads.json`.
package enum LoadHistoryCodec {
    private static let schema: Int64 = 1

    package static func render(_ history: LoadHistory) -> [UInt8] {
        JSONValue.object(["schema": .integer(schema), "loads": .array(history.entries.map(entry))])
            .rendered(pretty: true)
    }

    /// The caller has bounded the bytes. Entries that make no sense are left out.
    package static func parse(_ bytes: [UInt8]) throws(JSONSyntaxError) -> LoadHistory {
        let document = try JSONValue.parse(bytes)
        guard document["schema"]?.integerValue == schema, let entries = document["loads"]?.arrayValue else {
            throw JSONSyntaxError(reason: "it is not a list of loads of schema \(schema)")
        }
        return LoadHistory(entries: entries.compactMap(entry))
    }

    private static func entry(_ entry: LoadHistory.Entry) -> JSONValue {
        var fields: [String: JSONValue] = [
            "model": .string(entry.key.model), "gpu": .string(entry.key.gpu), "region": .string(entry.key.region),
            "measured": .array(
                entry.learned.loads.map { load in
                    .object([
                        "concurrency": .integer(Int64(load.concurrency)),
                        "rate_bytes_per_s": .number(load.bytesPerSecond),
                    ])
                }),
        ]
        fields["highest_concurrency"] = entry.learned.highestConcurrency.map { .integer(Int64($0)) }
        fields["highest_memory_limit"] = entry.learned.highestMemoryLimit.map(JSONValue.integer)
        return .object(fields)
    }

    private static func entry(_ value: JSONValue) -> LoadHistory.Entry? {
        guard let model = value["model"]?.stringValue, let gpu = value["gpu"]?.stringValue,
            let region = value["region"]?.stringValue, let measured = value["measured"]?.arrayValue
        else { return nil }
        let highest = integer(value["highest_concurrency"], in: AssignmentRules.streamerConcurrency).map(Int.init)
        let memory = integer(value["highest_memory_limit"], in: 1...AssignmentRules.streamerMemoryLimit.upperBound)
        return LoadHistory.Entry(
            key: LoadKey(model: model, gpu: gpu, region: region),
            learned: LearnedLoads(
                loads: measured.compactMap(load), highestConcurrency: highest, highestMemoryLimit: memory))
    }

    private static func load(_ value: JSONValue) -> MeasuredLoad? {
        guard let concurrency = integer(value["concurrency"], in: AssignmentRules.streamerConcurrency),
            let rate = value["rate_bytes_per_s"]?.numberValue, rate.isFinite, rate > 0
        else { return nil }
        return MeasuredLoad(concurrency: Int(concurrency), bytesPerSecond: rate)
    }

    private static func integer(_ value: JSONValue?, in range: ClosedRange<Int64>) -> Int64? {
        value?.integerValue.flatMap { range.contains($0) ? $0 : nil }
    }
}
