extension LogGrammar {
    /// torch.compile, warm-up and CUDA graphs.
    static let compilation: [Rule] = [
        // 0.32; before it the cache directory is the first word of a compilation.
        Rule("Starting torch.compile", .compileStarted),
        Rule("Using cache directory: ") { bytes, at in
            bytes.firstIndex(of: "for vLLM's torch.compile", from: at) == nil ? nil : .compileStarted
        },
        Rule("Dynamo bytecode transform time: ", Reading.seconds { .bytecodeTransformed(seconds: $0) }),
        Rule("Directly load the compiled graph", .compileCacheHit),
        Rule("Directly load AOT compilation from path ", .compileCacheHit),
        // 0.7
        Rule("Directly lookup the graph for ", .compileCacheHit),
        Rule("Compiling a graph for ", .compileCacheMiss),
        Rule("Cache the graph of ", .compileCacheMiss),
        Rule("Cache the graph for ", .compileCacheMiss),
        Rule("Compiling model again due to a load failure from ", .compileCacheMiss),
        Rule("saved AOT compiled function to ", .compileCacheMiss),
        Rule("Saved compiler manager cache in ", .compileCacheMiss),
        // `takes 5.71 s in total`, `took …`, `and initial profiling run took …`, `and … run together took …`
        Rule("torch.compile ", compiled),
        Rule("Warming up model for the compilation...", .warmupStarted),
        Rule("Warming up done.", .warmupFinished(seconds: nil)),
        Rule("Initial profiling/warmup run took ", Reading.seconds { .warmupFinished(seconds: $0) }),
        // V0
        Rule("Capturing the model for CUDA graphs.", .graphCaptureStarted),
        Rule("Capturing cudagraphs for decoding.", .graphCaptureStarted),
        Rule("Capturing CUDA graph shapes: ", capture),
        Rule("Capturing CUDA graphs (", capture),
        Rule("Capturing CUDA graphs: ", capture),
        Rule("Graph capturing finished in ", Reading.seconds { .graphCaptured(seconds: $0) }),
    ]

    private static let compiled: @Sendable (Span<UInt8>, Int) -> LogFact? = { bytes, start in
        let verb = bytes.firstIndex(of: " took ", from: start - 1) ?? bytes.firstIndex(of: " takes ", from: start - 1)
        guard let verb, verb - start < 80, var at = bytes.firstIndex(of: .space, from: verb + 1) else { return nil }
        at += 1
        guard let seconds = bytes.decimal(at: &at), bytes.starts(with: " s in total", at: at) else { return nil }
        return .compiled(seconds: seconds)
    }

    private static let capture: @Sendable (Span<UInt8>, Int) -> LogFact? = { bytes, start in
        guard let bar = ProgressBar(bytes, from: start) else { return nil }
        return bar.done == 0 ? .graphCaptureStarted : .graphCaptureProgress(done: bar.done, total: bar.total)
    }
}
