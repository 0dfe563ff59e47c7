internal import AgentWire

/// What the starts of one kind have taken.
package struct StartStatistics: Equatable, Sendable {
    package struct Spread: Equatable, Sendable {
        package var count: Int
        package var median: Double
        package var p90: Double
        package var least: Double
        package var most: Double
    }

    package var kind: StartKind
    package var seconds: Spread
    package var phases: [String: Spread]
    /// When the newest of them was heard of.
    package var newest: String

    /// - Parameter samples: the newest ones first. The kinds come in the order of their newest starts.
    package static func of(_ samples: [StartSample]) -> [StartStatistics] {
        var order: [StartKind] = []
        var groups: [StartKind: [StartSample]] = [:]
        for sample in samples {
            if groups[sample.kind] == nil { order.append(sample.kind) }
            groups[sample.kind, default: []].append(sample)
        }
        return order.compactMap { kind in
            guard let group = groups[kind], let seconds = Spread(group.map(\.seconds)) else { return nil }
            var parts: [String: [Double]] = [:]
            for (name, took) in group.flatMap(\.phases) { parts[name, default: []].append(took) }
            return StartStatistics(
                kind: kind, seconds: seconds, phases: parts.compactMapValues(Spread.init), newest: group[0].finishedAt)
        }
    }
}

extension StartStatistics.Spread {
    /// The quantiles are samples: the smallest that at least this share of the samples does not exceed.
    package init?(_ samples: [Double]) {
        let ordered = samples.sorted()
        guard let least = ordered.first, let most = ordered.last else { return nil }
        func quantile(_ share: Double) -> Double {
            ordered[max(0, Int((share * Double(ordered.count)).rounded(.up)) - 1)]
        }
        self.init(
            count: ordered.count, median: quantile(0.5), p90: quantile(0.9), least: least, most: most)
    }

    var fields: [String: JSONValue] {
        [
            "count": .integer(Int64(count)), "median_s": .number(median), "p90_s": .number(p90), "min_s": .number(least),
            "max_s": .number(most),
        ]
    }
}

extension StartStatistics {
    var document: JSONValue {
        var fields = seconds.fields
        fields["model"] = .string(kind.model)
        fields["gpu"] = kind.gpu.map(JSONValue.string) ?? .null
        fields["vllm_version"] = kind.vllmVersion.map(JSONValue.string) ?? .null
        fields["newest_at"] = .string(newest)
        fields["phases"] = .object(phases.mapValues { .object($0.fields) })
        return .object(fields)
    }
}
