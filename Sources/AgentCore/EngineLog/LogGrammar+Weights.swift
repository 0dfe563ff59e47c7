extension LogGrammar {
    static let weights: [Rule] = [
        Rule("Starting to load model ", .modelLoadStarted),
        // The V2 runner; 0.9.2 to 0.11.0 print both.
        Rule("Loading model from scratch...", .modelLoadStarted),
        // Four lines of this project's first documents; no released vLLM prints them.
        Rule("Loading model with RunaiModelLoader...", .modelLoadStarted),
        Rule("Concurrency: ", Reading.number { .streamConcurrency($0) }),
        Rule("Memory limit: ", memoryLimit),
        Rule("Model loaded in ", Reading.seconds { .modelLoaded(gib: nil, seconds: $0) }),
        Rule("Initializing model took ", Reading.seconds { .modelInitialised(seconds: $0) }),
        // `Loading safetensors using Runai Model Streamer:  4% Completed | 7/165 […`, `Loading safetensors checkpoint
        // shards: …` and their kin. What they count is told apart by the reader, which knows the version.
        Rule("Loading ") { bytes, at in ProgressBar(bytes, from: at)?.weights },
        Rule("Multi-thread loading shards: ") { bytes, at in ProgressBar(bytes, from: at)?.weights },
        Rule("[RunAI Streamer] Overall time to stream ", streamed),
        Rule("[RunAI Streamer] Rank ", streamPlanned),
        Rule("Loading weights took ", Reading.seconds { .weightsLoaded(seconds: $0) }),
        // ≤ 0.7
        Rule("Loading model weights took ", modelLoaded),
        Rule("Model loading took ", modelLoaded),
    ]

    private static let memoryLimit: @Sendable (Span<UInt8>, Int) -> LogFact? = { bytes, start in
        var at = start
        return bytes.decimal(at: &at).flatMap { Int(exactly: $0) }.map { .streamMemoryLimit($0) }
    }

    /// `4.1801 GiB and 6.884285 seconds`, `4.18 GiB memory and 6.884285 seconds`, `15.4137 GB` and mixtures.
    private static let modelLoaded: @Sendable (Span<UInt8>, Int) -> LogFact? = { bytes, start in
        var at = start
        guard let amount = bytes.decimal(at: &at) else { return nil }
        guard bytes.consume(" GiB", at: &at) || bytes.consume(" GB", at: &at) else { return nil }
        _ = bytes.consume(" memory", at: &at)
        let seconds = bytes.consume(" and ", at: &at) ? bytes.decimal(at: &at) : nil
        return .modelLoaded(gib: amount, seconds: seconds)
    }

    /// `18.0 MiB of all files[ to cpu]: 0.44s, 41.3 MiB/s`
    private static let streamed: @Sendable (Span<UInt8>, Int) -> LogFact? = { bytes, start in
        var at = start
        guard let size = Reading.size(bytes, &at), bytes.consume(" of all files", at: &at),
            let colon = bytes.firstIndex(of: ": ", from: at), colon - at < 64
        else { return nil }
        at = colon + 2
        guard let seconds = bytes.decimal(at: &at), bytes.consume("s, ", at: &at),
            let rate = Reading.size(bytes, &at)
        else { return nil }
        return .streamed(bytes: size, seconds: seconds, bytesPerSecond: rate)
    }

    /// `0: CPU ring 18 x 1.2 MiB = 22.5 MiB for 18.0 MiB in 4 file(s)`
    private static let streamPlanned: @Sendable (Span<UInt8>, Int) -> LogFact? = { bytes, start in
        guard var at = bytes.firstIndex(of: " for ", from: start) else { return nil }
        at += 5
        guard let size = Reading.size(bytes, &at), bytes.consume(" in ", at: &at),
            let files = bytes.integer(at: &at)
        else { return nil }
        return .streamPlanned(bytes: size, files: files)
    }
}

/// A tqdm bar: `…:  52% Completed | 85/165 [00:02<00:01, 42.30it/s]` or `…:  12%|█▎        | 8/67 [00:01<00:05, …]`.
struct ProgressBar {
    var done: Int
    var total: Int
    /// Counts checkpoint files whatever the version.
    var countsShards: Bool
    /// Behind the bar: another process may have written on before the bar's line ended.
    var end: Int

    init?(_ bytes: Span<UInt8>, from start: Int) {
        // An unfinished bar must not lose the last digits of its total: ` [` is behind them.
        guard let percent = bytes.firstIndex(of: UInt8(ascii: "%"), from: start, before: start + 160),
            bytes.byte(percent - 1)?.isDigit == true,
            let bracket = bytes.firstIndex(of: " [", from: percent)
        else { return nil }
        var at = bracket
        while bytes.byte(at - 1).map({ $0.isDigit || $0 == UInt8(ascii: "/") }) == true { at -= 1 }
        guard bytes.starts(with: "| ", at: at - 2), let done = bytes.integer(at: &at), bytes.consume("/", at: &at),
            let total = bytes.integer(at: &at), at == bracket, done <= total
        else { return nil }
        self.done = done
        self.total = total
        countsShards = bytes.firstIndex(of: " shards:", from: 0).map { $0 < percent } ?? false
        end = bytes.firstIndex(of: UInt8(ascii: "]"), from: at).map { $0 + 1 } ?? bytes.count
    }

    var weights: LogFact {
        .weightsProgress(done: done, total: total, unit: countsShards ? .files : nil)
    }
}
