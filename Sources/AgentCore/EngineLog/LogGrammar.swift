/// Messages of vLLM 0.6.6 to 0.32, its streamer, uvicorn and dying processes, by the words they begin with.
///
/// A message is matched at its start and never in the middle: text that clients, model names or quoted tracebacks bring
/// into a line stands behind words of vLLM's own. What somebody can still do who can make the engine print whole lines:
/// invent phases and durations, or a cause of failure. Nothing here makes a node READY (the engine's socket and a
/// request it answers do), starts, stops or deletes anything.
struct LogGrammar: Sendable {
    struct Rule: Sendable {
        var prefix: StaticString
        /// Reads the message behind the prefix, which ends at the given index.
        var read: @Sendable (Span<UInt8>, Int) -> LogFact?

        init(_ prefix: StaticString, _ read: @escaping @Sendable (Span<UInt8>, Int) -> LogFact?) {
            self.prefix = prefix
            self.read = read
        }

        /// For messages that say nothing more than their first words.
        init(_ prefix: StaticString, _ fact: LogFact) {
            self.init(prefix) { _, _ in fact }
        }
    }

    /// Built once: a reader is made for every start.
    static let standard = LogGrammar()

    private let rules: [Rule]
    /// For each first byte of a message the rules that can apply: an unknown line costs one look-up.
    private let byFirstByte: [Range<Int>]

    private init() {
        let all = Self.startup + Self.weights + Self.compilation + Self.memory + Self.serving + Self.deaths
        var sorted: [Rule] = []
        var ranges: [Range<Int>] = []
        for byte in UInt8.min...UInt8.max {
            let lower = sorted.count
            sorted += all.filter { $0.prefix.utf8Start.pointee == byte }
            ranges.append(lower..<sorted.count)
        }
        rules = sorted
        byFirstByte = ranges
    }

    /// The fact in the message that begins at `start`; nil for the many that mean nothing here.
    func fact(_ bytes: Span<UInt8>, at start: Int) -> LogFact? {
        guard start < bytes.count else { return nil }
        if let fact = match(bytes, at: start) { return fact }
        guard bytes[start] == UInt8(ascii: "["), let behind = Self.skipTag(bytes, at: start) else { return nil }
        return match(bytes, at: behind)
    }

    private func match(_ bytes: Span<UInt8>, at start: Int) -> LogFact? {
        for index in byFirstByte[Int(bytes[start])] {
            let prefix = rules[index].prefix
            if bytes.starts(with: prefix, at: start),
                let fact = rules[index].read(bytes, start + prefix.utf8CodeUnitCount)
            {
                return fact
            }
        }
        return nil
    }

    /// Behind a tag such as `[backbone] ` (0.32's compilation) or `[PG ID 2 Rank 1] ` (PyTorch).
    private static func skipTag(_ bytes: Span<UInt8>, at start: Int) -> Int? {
        guard let close = bytes.firstIndex(of: UInt8(ascii: "]"), from: start + 1, before: start + 64),
            bytes.byte(close + 1) == .space, close + 2 < bytes.count
        else { return nil }
        return close + 2
    }
}

/// The small readers that rules are made of.
enum Reading {
    static func seconds(_ make: @escaping @Sendable (Double) -> LogFact) -> @Sendable (Span<UInt8>, Int) -> LogFact? {
        { bytes, start in
            var at = start
            return bytes.decimal(at: &at).map(make)
        }
    }

    static func number(_ make: @escaping @Sendable (Int) -> LogFact) -> @Sendable (Span<UInt8>, Int) -> LogFact? {
        { bytes, start in
            var at = start
            return bytes.integer(at: &at).map(make)
        }
    }

    static func pid(_ make: @escaping @Sendable (Int32) -> LogFact) -> @Sendable (Span<UInt8>, Int) -> LogFact? {
        { bytes, start in
            var at = start
            return bytes.integer(at: &at).flatMap { Int32(exactly: $0) }.map(make)
        }
    }

    /// Only a message that consists of the prefix and nothing else.
    static func whole(_ fact: LogFact) -> @Sendable (Span<UInt8>, Int) -> LogFact? {
        { bytes, start in bytes.skip(.space, from: start) == bytes.count ? fact : nil }
    }

    /// The word at `start`, up to a byte that no version, URL or class name has; nil when empty.
    static func word(_ bytes: Span<UInt8>, _ start: Int, limit: Int = 256) -> String? {
        var end = start
        let last = min(bytes.count, start + limit)
        while end < last {
            let byte = bytes[end]
            guard byte > .space, byte != UInt8(ascii: ","), byte != UInt8(ascii: ")") else { break }
            end += 1
        }
        return end > start ? bytes.text(start..<end, limit: limit) : nil
    }

    /// A size such as `1.6 GiB` in bytes.
    static func size(_ bytes: Span<UInt8>, _ at: inout Int) -> Double? {
        guard let number = bytes.decimal(at: &at), bytes.byte(at) == .space else { return nil }
        at += 1
        if bytes.consume("KiB", at: &at) { return number * 1024 }
        if bytes.consume("MiB", at: &at) { return number * 1_048_576 }
        if bytes.consume("GiB", at: &at) { return number * 1_073_741_824 }
        if bytes.consume("TiB", at: &at) { return number * 1_099_511_627_776 }
        if bytes.consume("Bytes", at: &at) || bytes.consume("Byte", at: &at) || bytes.consume("B", at: &at) {
            return number
        }
        return nil
    }
}
