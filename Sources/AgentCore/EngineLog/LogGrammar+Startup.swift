extension LogGrammar {
    /// From the banner to the workers.
    static let startup: [Rule] = [
        // ≤ 0.14; then a logo; this one again where the logo is switched off.
        Rule("vLLM API server version ", version),
        Rule("vLLM server version ", version),
        // The logo: block characters, then `version 0.32.0` on its third line.
        Rule(" ", logo),
        Rule("\u{2588}", logo),
        Rule("\u{2584}", logo),
        Rule("crosslogic-launcher: ") { .launcher($0.text($1..<$0.count, limit: 256)) },
        Rule("non-default args: ") { .nonDefaultArguments(LogRedaction.arguments($0, from: $1)) },
        Rule("args: Namespace(") { .allArguments(LogRedaction.arguments($0, from: $1 - 10)) },
        Rule("Resolved architecture: ") { .configResolved(architecture: Reading.word($0, $1)) },
        Rule("This model supports multiple tasks: ", .configResolved(architecture: nil)),
        Rule("Using max model len ", Reading.number { .maxModelLength($0) }),
        Rule("Started engine process with PID ", Reading.pid { .engineProcessStarted(pid: $0) }),
        Rule("Initializing a V1 LLM engine (v", engineCore),
        Rule("Initializing a V0 LLM engine (v", engineCore),
        // ≤ 0.7
        Rule("Initializing an LLM engine (v", engineCore),
        Rule("world_size=") { bytes, at in bytes.firstIndex(of: " rank=", from: at) == nil ? nil : .workerInitialising
        },
        Rule("Worker ready; awaiting tasks", .workerInitialising),
        Rule("rank ", rank),
    ]

    private static let version: @Sendable (Span<UInt8>, Int) -> LogFact? = { bytes, at in
        guard bytes.byte(at)?.isDigit == true else { return nil }
        return Reading.word(bytes, at, limit: 64).map { .version($0) }
    }

    private static let logo: @Sendable (Span<UInt8>, Int) -> LogFact? = { bytes, start in
        var at = start
        while let byte = bytes.byte(at) {
            if byte == .space {
                at += 1
            } else if byte == 0xE2, bytes.byte(at + 1) == 0x96 {
                at += 3
            } else {
                break
            }
        }
        // At least one block character: a line of spaces and `version` is somebody else's.
        guard at >= start + 3, bytes.firstIndex(of: 0xE2, before: at) != nil, bytes.consume("version ", at: &at) else {
            return nil
        }
        return version(bytes, at)
    }

    private static let engineCore: @Sendable (Span<UInt8>, Int) -> LogFact? = { bytes, at in
        Reading.word(bytes, at, limit: 64).map { .engineCoreInitialising(version: $0) }
    }

    /// `rank 0 in world size 1 is assigned as DP rank 0, …`
    private static let rank: @Sendable (Span<UInt8>, Int) -> LogFact? = { bytes, start in
        var at = start
        guard let rank = bytes.integer(at: &at), bytes.consume(" in world size ", at: &at),
            let size = bytes.integer(at: &at)
        else { return nil }
        return .workerInitialised(rank: rank, worldSize: size)
    }
}
