extension LogGrammar {
    /// From the ready engine to the stop.
    static let serving: [Rule] = [
        Rule("init engine (profile, create kv cache, warmup model) took ") { bytes, start in
            var at = start
            return bytes.decimal(at: &at).map { .engineInitialised(seconds: $0) }
        },
        // ≥ 0.17
        Rule("Starting vLLM server on ", url),
        // ≤ 0.8
        Rule("Starting vLLM API server on ", url),
        // 0.9 to 0.16: `Starting vLLM API server 0 on http://…`
        Rule("Starting vLLM API server ") { bytes, start in
            var at = start
            guard bytes.integer(at: &at) != nil, bytes.consume(" on ", at: &at) else { return nil }
            return url(bytes, at)
        },
        Rule("Started server process [", Reading.pid { .serverProcessStarted(pid: $0) }),
        Rule("Application startup complete.", Reading.whole(.startupComplete)),
        Rule("[shutdown] API server: shutdown triggered", Reading.whole(.shutdownTriggered)),
        // 0.18
        Rule("Shutdown initiated (timeout=", .shutdownTriggered),
        // ≤ 0.17
        Rule("Shutting down FastAPI HTTP server.", .shutdownTriggered),
        Rule("[shutdown] EngineCore: draining in-flight requests count=", Reading.number { .draining(requests: $0) }),
        Rule("Shutting down", Reading.whole(.serverStopping)),
        Rule("Finished server process [", Reading.pid { .serverStopped(pid: $0) }),
    ]

    private static let url: @Sendable (Span<UInt8>, Int) -> LogFact? = { bytes, at in
        Reading.word(bytes, at).map { .serverStarting(url: $0) }
    }

    /// What a dying process, its parent, its runtime or the shell leaves behind.
    static let deaths: [Rule] = [
        death("Engine core proc ", with: " died unexpectedly"),
        death("Worker proc ", with: " died unexpectedly"),
        death("[shutdown] MPClient: engine core exited unexpectedly"),
        // V0
        death("RuntimeError('Engine process (pid ", with: " died."),
        death("Watchdog caught collective operation timeout"),
        death("terminate called "),
        death("  what():  "),
        // From the AWS library in the streamer, without a newline.
        death("Unhandled OOM encountered in aws_mem_acquire with allocator"),
        death("Fatal Python error: "),
        death("Segmentation fault"),
        death("!!!!!!! Segfault encountered !!!!!!!"),
        death("*** SIG"),
        death("thread '", with: "' panicked at "),
        death("free(): "),
        death("malloc(): "),
        death("malloc_consolidate(): "),
        death("double free or corruption"),
        death("corrupted size vs. prev_size"),
        death("corrupted double-linked list"),
        death("Bus error"),
        Rule("Aborted") { bytes, at in wholeDeath(bytes, at, 7) },
        Rule("Killed") { bytes, at in wholeDeath(bytes, at, 6) },
        death("Out of memory: Killed process "),
        death("bash: ", with: "vllm"),
        death("sh: ", with: "vllm"),
        death("/bin/sh: ", with: "vllm"),
        death("/bin/bash: ", with: "vllm"),
        death("env: ", with: "vllm"),
    ]

    /// The line from its prefix on, if `words` stand in it too.
    private static func death(_ prefix: StaticString, with words: StaticString? = nil) -> Rule {
        Rule(prefix) { bytes, at in
            if let words, bytes.firstIndex(of: words, from: at) == nil { return nil }
            return .processDied(bytes.text(at - prefix.utf8CodeUnitCount..<bytes.count, limit: 512))
        }
    }

    /// The shell's word for a child's end: alone, or with ` (core dumped)` behind it.
    private static func wholeDeath(_ bytes: Span<UInt8>, _ at: Int, _ length: Int) -> LogFact? {
        guard bytes.skip(.space, from: at) == bytes.count || bytes.starts(with: " (core dumped)", at: at) else {
            return nil
        }
        return .processDied(bytes.text(at - length..<bytes.count, limit: 512))
    }
}
