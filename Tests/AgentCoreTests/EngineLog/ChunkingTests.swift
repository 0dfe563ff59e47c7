internal import Testing
@testable internal import AgentCore

@Suite("However the bytes arrive, the facts are the same")
struct ChunkingTests {
    @Test("One byte at a time", arguments: (Transcript.all + Transcript.reconstructed).filter { $0.bytes.count < 27_000 })
    func bytewise(_ transcript: Transcript) {
        var reader = EngineLogReader()
        var facts: [LogFact] = []
        for byte in transcript.bytes { facts += reader.feed([byte]) }
        expectSame(as: whole(transcript.bytes), facts, reader, transcript.exit)
    }

    @Test("In random pieces", arguments: Transcript.all + Transcript.reconstructed)
    func randomly(_ transcript: Transcript) {
        var random = SplitMix(seed: 7)
        let expected = whole(transcript.bytes)
        for _ in 0..<2 {
            let (facts, reader) = feedRandomly(transcript.bytes, longest: 700, &random)
            expectSame(as: expected, facts, reader, transcript.exit)
        }
    }

    @Test("Control bytes, escapes and long lines, cut anywhere")
    func hostile() {
        var random = SplitMix(seed: 11)
        for round in 0..<300 {
            let bytes = Hostile.bytes(round, &random)
            let (facts, reader) = feedRandomly(bytes, longest: 5000, &random)
            expectSame(as: whole(bytes), facts, reader, nil)
        }
    }

    @Test("Random bytes never crash, and what is kept stays bounded")
    func randomBytes() {
        var random = SplitMix(seed: 13)
        var reader = EngineLogReader()
        for _ in 0..<100 {
            _ = reader.feed((0..<4096).map { _ in UInt8(truncatingIfNeeded: random.next()) })
        }
        #expect(reader.heldBytes <= 48 * 1024)
        _ = reader.explain(nil)
    }

    @Test("A line without an end is kept up to its limit only")
    func endless() {
        var reader = EngineLogReader()
        let piece = [UInt8](repeating: UInt8(ascii: "x"), count: 65536)
        for _ in 0..<256 { #expect(reader.feed(piece).isEmpty) }
        #expect(reader.heldBytes <= 48 * 1024)
        #expect(reader.feed(text: "\nINFO:     Application startup complete.\n") == [.startupComplete])
    }

    private func whole(_ bytes: [UInt8]) -> ([LogFact], EngineLogReader) {
        var reader = EngineLogReader()
        return (reader.feed(bytes), reader)
    }

    private func feedRandomly(
        _ bytes: [UInt8], longest: Int, _ random: inout SplitMix
    ) -> ([LogFact], EngineLogReader) {
        var reader = EngineLogReader()
        var facts: [LogFact] = []
        var start = 0
        while start < bytes.count {
            let end = min(start + Int.random(in: 0...longest, using: &random), bytes.count)
            facts += reader.feed(Array(bytes[start..<end]))
            start = end
        }
        return (facts, reader)
    }

    private func expectSame(
        as expected: ([LogFact], EngineLogReader), _ facts: [LogFact], _ reader: EngineLogReader, _ exit: EngineExit?
    ) {
        #expect(facts == expected.0)
        #expect(reader.unknownLines == expected.1.unknownLines)
        #expect(reader.explain(exit) == expected.1.explain(exit))
        #expect(reader.unfinishedProgress() == expected.1.unfinishedProgress())
    }
}

/// Bytes made of what the reader has to stop for.
enum Hostile {
    static func bytes(_ round: Int, _ random: inout SplitMix) -> [UInt8] {
        var bytes: [UInt8] = []
        for _ in 0..<Int.random(in: 1...60, using: &random) {
            guard let piece = pieces.randomElement(using: &random) else { continue }
            bytes += Array(piece.utf8)
        }
        if round % 10 == 0 { bytes += [UInt8](repeating: UInt8(ascii: "y"), count: 16380 + round % 20) }
        for _ in 0..<(round % 4) where !bytes.isEmpty {
            bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8(truncatingIfNeeded: random.next())
        }
        return bytes
    }

    private static let pieces = [
        "\n", "\r", "\r\n", "\0", "\0\0\0\0\0\0\0\0\0", "\u{1B}[", "\u{1B}[0;31m", "\u{1B}[m", "\u{1B}]0;title\u{7}",
        "\u{1B}]8;;x\u{1B}\\", "\u{1B}", "\t", " ", "(", ")", "[", "]", "(EngineCore_DP0 pid=77) ", "[rank0]: ",
        "INFO 11-21 18:00:00 [core.py:1] ", "ERROR 11-21 18:00:00 [core.py:1] ", "INFO:     ", "ERROR:    ",
        "Traceback (most recent call last):", "  File \"/opt/bin/vllm\", line 1, in <module>",
        "ValueError: no", "torch.OutOfMemoryError: CUDA out of memory.", "Process EngineCore:",
        "During handling of the above exception, another exception occurred:",
        "Loading safetensors using Runai Model Streamer:  50% Completed | 7/14 [00:01<00:01, 1it/s]",
        "GPU KV cache size: 131,072 tokens", "{\"message\": \"", "\", \"levelname\": \"INFO\"}", "\\u2588", "\\n",
        "Application startup complete.", "\u{2588}   version 0.32.0", "pydantic.ValidationError: 2 validation errors for X",
        "usage: vllm", "vllm: error: argument --x: y", "[2026-11-21 18:43:24.666] [ERROR  ] [1 2] [a.cc:1 @ f] bad",
    ]
}

/// A seeded generator, so that a failure can be repeated.
struct SplitMix: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
