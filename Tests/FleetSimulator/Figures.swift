internal import AgentWire

/// How long things took, in buckets that are a twelfth of a power of two wide: six per cent.
struct Histogram {
    private static let perDoubling = 12
    private var buckets = [Int](repeating: 0, count: 30 * perDoubling)
    private(set) var count = 0
    private(set) var longest = 0.0

    mutating func add(_ seconds: Double) {
        let microseconds = max(1, seconds * 1e6)
        let doublings = microseconds.exponent
        let fraction = microseconds.significand - 1
        let bucket = Int(doublings) * Self.perDoubling + Int(fraction * Double(Self.perDoubling))
        buckets[min(bucket, buckets.count - 1)] += 1
        count += 1
        longest = max(longest, seconds)
    }

    /// The upper edge of the bucket it falls into, in seconds; nil where there is nothing.
    func quantile(_ share: Double) -> Double? {
        guard count > 0 else { return nil }
        var left = Int((share * Double(count)).rounded(.up))
        for (index, size) in buckets.enumerated() {
            left -= size
            if left <= 0 {
                let scale = Double(sign: .plus, exponent: index / Self.perDoubling, significand: 1)
                let edge = scale * (1 + Double(index % Self.perDoubling + 1) / Double(Self.perDoubling))
                return min(edge / 1e6, longest)
            }
        }
        return longest
    }
}

/// What one second of the fleet looked like.
struct Figures {
    enum Exchange: String, CaseIterable {
        case poll
        case heartbeat
        case events
        case options
    }

    var answered: [Exchange: Int] = [:]
    var eventsTaken = 0
    var connects = 0
    var failures = 0
    var refusals = 0
    var latencies: [Exchange: Histogram] = [:]

    /// `extra` is what the fleet is, not what it did.
    func line(_ extra: [String: JSONValue]) -> JSONValue {
        var fields = extra
        fields["events_taken"] = .integer(Int64(eventsTaken))
        fields["connects"] = .integer(Int64(connects))
        fields["failures"] = .integer(Int64(failures))
        fields["refusals"] = .integer(Int64(refusals))
        for exchange in Exchange.allCases {
            fields["\(exchange.rawValue)_answers"] = .integer(Int64(answered[exchange] ?? 0))
            guard exchange != .poll, let histogram = latencies[exchange] else { continue }
            for (name, share) in [("p50", 0.5), ("p99", 0.99)] {
                fields["\(exchange.rawValue)_\(name)_s"] = histogram.quantile(share).map(JSONValue.number) ?? .null
            }
            fields["\(exchange.rawValue)_max_s"] = .number(histogram.longest)
        }
        return .object(fields)
    }
}
