extension LogGrammar {
    /// Memory profiling and the KV cache.
    static let memory: [Rule] = [
        Rule("Memory profiling takes ", Reading.seconds { .memoryProfiled(seconds: $0) }),
        Rule("Available KV cache memory: ", Reading.seconds { .kvCacheMemory(gib: $0) }),
        // V0: `model weights take 12.55GiB; …; the rest of the memory reserved for KV Cache is 56.18GiB.`
        Rule("model weights take ") { bytes, start in
            let words: StaticString = "reserved for KV Cache is "
            guard var at = bytes.firstIndex(of: words, from: start) else { return nil }
            at += words.utf8CodeUnitCount
            return bytes.decimal(at: &at).map { .kvCacheMemory(gib: $0) }
        },
        // CPU: `Explicitly set (1.0/23.54) GiB for KV cache on node 0.`
        Rule("Explicitly set (", Reading.seconds { .kvCacheMemory(gib: $0) }),
        Rule("GPU KV cache size: ", kvCache),
        Rule("CPU KV cache size: ", kvCache),
        Rule("XPU KV cache size: ", kvCache),
        Rule("TPU KV cache size: ", kvCache),
        Rule("HPU KV cache size: ", kvCache),
        Rule("NPU KV cache size: ", kvCache),
        Rule("KV cache size: ", kvCache),
        Rule("Maximum concurrency for ", maxConcurrency),
        // V0: `# GPU blocks: 4660, # CPU blocks: 4096`; 0.7 and 0.8 name the device, as in `# cuda blocks:`. The V1
        // engine of 0.7 says the first half only.
        Rule("# ", blocks),
    ]

    private static let kvCache: @Sendable (Span<UInt8>, Int) -> LogFact? = { bytes, start in
        var at = start
        guard let tokens = bytes.integer(at: &at), bytes.starts(with: " tokens", at: at) else { return nil }
        guard let words = bytes.firstIndex(of: "Maximum concurrency for ", from: at),
            case .maxConcurrency(let factor, _)? = maxConcurrency(bytes, words + 24)
        else { return .kvCache(tokens: tokens, maxConcurrency: nil) }
        return .kvCache(tokens: tokens, maxConcurrency: factor)
    }

    private static let maxConcurrency: @Sendable (Span<UInt8>, Int) -> LogFact? = { bytes, start in
        var at = start
        guard let tokens = bytes.integer(at: &at), bytes.consume(" tokens per request: ", at: &at),
            let factor = bytes.decimal(at: &at)
        else { return nil }
        return .maxConcurrency(factor, tokensPerRequest: tokens)
    }

    private static let blocks: @Sendable (Span<UInt8>, Int) -> LogFact? = { bytes, start in
        guard var at = bytes.firstIndex(of: " blocks: ", from: start), at - start <= 8 else { return nil }
        at += 9
        guard let device = bytes.integer(at: &at) else { return nil }
        if at == bytes.count { return .kvCacheBlocks(device: device, host: 0) }
        guard bytes.consume(", # CPU blocks: ", at: &at), let host = bytes.integer(at: &at) else { return nil }
        return .kvCacheBlocks(device: device, host: host)
    }
}
