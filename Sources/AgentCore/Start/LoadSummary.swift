/// How the weights came into memory.
package struct LoadSummary: Equatable, Sendable {
    /// `--load-format` as vLLM names it; nil where neither the arguments nor the loader's own lines tell.
    package var loader: String?
    /// The loader's own figure where it gives one, else from the first sign of the weights to the last.
    package var seconds: Double?
    /// GPU memory the model took, per rank; not the size of its files.
    package var gib: Double?
    /// What was read.
    package var bytes: Double?
    package var bytesPerSecond: Double?
    /// As set; nil is the streamer's own default.
    package var concurrency: Int?
    /// In bytes, as set; -1 is unlimited, nil the streamer's own default.
    package var memoryLimit: Int?
    /// Read from the store into memory without touching the disk.
    package var isStreamed: Bool
}

extension StartTimeline {
    /// nil before anything of the weights was seen.
    package var load: LoadSummary? {
        guard first(.loadStarted) != nil || first(.weightsMoving) != nil || isLoaded else { return nil }
        let arguments = findings.arguments.map(ArgumentText.init)
        let loader = loader(arguments)
        let seconds = loadSeconds
        let bytes = findings.streamed?.bytes ?? bytesOfWeights.map { Double($0.bytes) } ?? findings.plannedBytes
        return LoadSummary(
            loader: loader, seconds: seconds, gib: findings.loadedGib, bytes: bytes,
            bytesPerSecond: findings.streamed?.bytesPerSecond ?? rate(bytes, seconds),
            concurrency: findings.saidConcurrency ?? arguments?.integer("concurrency"),
            memoryLimit: findings.saidMemoryLimit ?? arguments?.integer("memory_limit"),
            isStreamed: loader?.hasPrefix("runai_streamer") ?? false)
    }

    private var isLoaded: Bool { last(.weightsDone) != nil || last(.modelLoaded) != nil }

    private func loader(_ arguments: ArgumentText?) -> String? {
        let said = arguments?.word("load_format")
        if let said, said != "auto" { return said }
        let streams = findings.streamed != nil || findings.plannedBytes != nil || findings.saidConcurrency != nil
        // From 0.12 on vLLM chooses the streamer itself for a model in an object store.
        if streams || arguments?.namesObjectStore == true { return "runai_streamer" }
        return said ?? (arguments == nil ? nil : "auto")
    }

    private var loadSeconds: Double? {
        if let seconds = findings.streamed?.seconds { return seconds }
        if let seconds = stated[.weightsLoaded]?.seconds { return seconds }
        let spans = account().spans.filter { $0.phase == .weightsStream && $0.endSource != nil }
        let measured = spans.reduce(0) { $0 + $1.seconds }
        guard hasClock, measured > 0 else { return stated[.modelLoaded]?.seconds }
        return measured
    }

    private func rate(_ bytes: Double?, _ seconds: Double?) -> Double? {
        guard let bytes, let seconds, seconds > 0 else { return nil }
        return bytes / seconds
    }
}

/// Arguments as the engine prints them: a Python dictionary, or `Namespace(…)` up to 0.8, with JSON inside.
struct ArgumentText {
    private let bytes: [UInt8]

    init(_ text: String) { bytes = Array(text.utf8) }

    var namesObjectStore: Bool {
        word("model_tag")?.hasPrefix("s3://") ?? word("model")?.hasPrefix("s3://") ?? false
    }

    func integer(_ name: StaticString) -> Int? {
        guard var at = value(of: name) else { return nil }
        let isNegative = bytes.span.byte(at) == UInt8(ascii: "-")
        if isNegative { at += 1 }
        return bytes.span.integer(at: &at).map { isNegative ? -$0 : $0 }
    }

    func word(_ name: StaticString) -> String? {
        guard let start = value(of: name) else { return nil }
        var end = start
        while let byte = bytes.span.byte(end), byte > .space, !Self.isQuote(byte), byte != UInt8(ascii: ","),
            byte != UInt8(ascii: ")"), byte != UInt8(ascii: "}")
        {
            end += 1
        }
        guard end > start else { return nil }
        let word = bytes.span.text(start..<end, limit: 256)
        return word == "None" ? nil : word
    }

    /// Where the value of the argument begins, inside its quotes.
    private func value(of name: StaticString) -> Int? {
        let text = bytes.span
        var from = 0
        while let found = text.firstIndex(of: name, from: from) {
            from = found + 1
            guard found == 0 || Self.parts(text.byte(found - 1)) else { continue }
            var at = found + name.utf8CodeUnitCount
            while let byte = text.byte(at), Self.isQuote(byte) { at += 1 }
            guard let mark = text.byte(at), mark == UInt8(ascii: ":") || mark == UInt8(ascii: "=") else { continue }
            at = text.skip(.space, from: at + 1)
            while let byte = text.byte(at), Self.isQuote(byte) { at += 1 }
            return at
        }
        return nil
    }

    private static func isQuote(_ byte: UInt8) -> Bool { byte == UInt8(ascii: "'") || byte == UInt8(ascii: "\"") }

    /// What may stand before a name; a letter or `_` would make it another name's end.
    private static func parts(_ byte: UInt8?) -> Bool {
        guard let byte else { return true }
        return isQuote(byte) || byte == .space || byte == UInt8(ascii: "(") || byte == UInt8(ascii: ",")
            || byte == UInt8(ascii: "{") || byte == UInt8(ascii: "\\")
    }
}
