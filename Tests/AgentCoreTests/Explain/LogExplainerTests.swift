internal import AgentTestKit
internal import Testing

@testable internal import AgentCore

@Suite("A log is explained")
struct LogExplainerTests {
    private static let banner = "INFO 11-21 18:00:00 [a.py:1] vLLM API server version 0.11.0\n"
    private static let ready = "INFO:     Application startup complete.\n"
    private static let stop =
        "(APIServer pid=1) INFO 11-21 18:09:00 [launcher.py:254] [shutdown] API server: shutdown triggered\n"

    private func explain(_ text: String) -> StartExplanation {
        var explainer = LogExplainer()
        explainer.feed(Array(text.utf8))
        return explainer.finish()
    }

    @Test("Ready, stopped, failed and unfinished")
    func outcomes() {
        let failure = "torch.OutOfMemoryError: CUDA out of memory.\n"
        #expect(explain(Self.banner).outcome == .unfinished)
        #expect(explain(Self.banner + Self.ready).outcome == .ready)
        #expect(explain(Self.banner + Self.ready + Self.stop).outcome == .stopped)
        #expect(explain(Self.banner + Self.stop).outcome == .stopped)
        #expect(explain(Self.banner + failure).outcome == .failed)
        #expect(explain(Self.banner + Self.ready + failure).outcome == .ready)
        #expect(explain(Self.banner + failure + Self.ready).outcome == .ready)
        #expect(explain(Self.banner + Self.ready + Self.stop + failure).outcome == .stopped)
        let interrupt = "Traceback (most recent call last):\n  File \"/opt/bin/vllm\", line 8\nKeyboardInterrupt\n"
        #expect(explain(Self.banner + interrupt).outcome == .stopped)
        let death = "Engine core proc EngineCore died unexpectedly\n"
        #expect(explain(Self.banner + Self.ready + death).outcome == .failed)
    }

    @Test(
        "What is not vLLM's has no phases, whatever it says",
        arguments: [
            ready, "Killed\n", "ValueError: x\n", "hello\n", "\n\n",
            "Loading checkpoint shards: 100%|##########| 4/4 [00:02<00:00,  1.40it/s]\n",
            "INFO:     1.2.3.4:5 - \"GET /INFO:     Application startup complete. HTTP/1.1\" 404 Not Found\n",
            "INFO 11-21 18:00:00 [logger.py:39] Received request: prompt: 'vLLM API server version 0.11.0'\n",
        ])
    func foreign(text: String) {
        let explanation = explain(text)
        #expect(explanation.outcome == .unfinished)
        #expect(explanation.account.spans.isEmpty)
        #expect(explanation.failure == nil)
        #expect(explanation.load == nil)
    }

    @Test("Text that clients bring into the log moves no phase and ends no start")
    func forged() {
        let honest = Self.banner + "INFO 11-21 18:00:09 [b.py:1] Using max model len 512\n"
        let header = "(APIServer pid=1) ERROR 11-21 18:00:30 [serving.py:5] "
        let forged = [
            "INFO 11-21 18:00:10 [logger.py:39] Received request x: prompt: 'Application startup complete.'\n",
            "INFO:     1.2.3.4:5 - \"POST /INFO 11-21 18:00:20 [a.py:1] Starting to load model HTTP/1.1\" 404 Not Found\n",
            header + "Error in preprocessing prompt\r\n" + header + "Application startup complete.\r\n" + header
                + "vLLM API server version 9.9\n",
        ]
        let explanation = explain(honest + forged.joined())
        #expect(explanation.version == "0.11.0")
        #expect(explanation.starts == 1)
        #expect(explanation.outcome == .unfinished)
        #expect(explanation.account.spans.map(\.phase) == [.engineImport, .engineConfig, .engineCoreSpawn])
    }

    @Test("The last of several starts is explained, and the others are counted")
    func starts() {
        let explanation = explain(
            Self.banner + Self.ready + Self.stop + "INFO 11-21 18:30:00 [a.py:1] vLLM API server version 0.11.1\n"
                + "INFO 11-21 18:30:07 [b.py:1] Using max model len 512\n")
        #expect(explanation.starts == 2)
        #expect(explanation.version == "0.11.1")
        #expect(explanation.outcome == .unfinished)
        #expect(explanation.account.total == 7)
        #expect(explanation.notes.contains { $0.contains("2 starts") })
    }

    @Test("A log without times has phases without seconds")
    func timeless() {
        let explanation = explain("vLLM API server version 0.12.0\nUsing max model len 512\nStarting to load model x\n")
        #expect(!explanation.hasTimes)
        #expect(explanation.account.spans.map(\.phase) == [.engineConfig, .modelInit])
        #expect(explanation.crossChecks.isEmpty)
        #expect(explanation.advice.isEmpty)
    }

    @Test(
        "However the bytes are cut, the explanation is the same", arguments: Transcript.all + Transcript.reconstructed)
    func chunks(_ transcript: Transcript) {
        var whole = LogExplainer()
        whole.feed(transcript.bytes)
        let expected = whole.finish()
        var random = SeededGenerator(seed: 5)
        for longest in [40, 3000] where transcript.bytes.count < 40_000 {
            var explainer = LogExplainer()
            var rest = transcript.bytes[...]
            while !rest.isEmpty {
                let piece = rest.prefix(Int.random(in: 1...longest, using: &random))
                explainer.feed(Array(piece))
                rest = rest.dropFirst(piece.count)
            }
            let explanation = explainer.finish()
            #expect(explanation.account == expected.account)
            #expect(explanation.outcome == expected.outcome)
            #expect(explanation.failure == expected.failure)
            #expect(explanation.load == expected.load)
        }
    }

    @Test("A serving engine's flood of requests changes nothing and is kept nowhere")
    func flood() {
        var explainer = LogExplainer()
        explainer.feed(Array((Self.banner + Self.ready).utf8))
        let line = "INFO:     127.0.0.1:53484 - \"POST /v1/completions HTTP/1.1\" 200 OK\n"
        let block = Array(String(repeating: line, count: 2000).utf8)
        for _ in 0..<50 { explainer.feed(block) }
        explainer.feed([UInt8](repeating: UInt8(ascii: "x"), count: 3 << 20))
        #expect(explainer.heldBytes < 300_000)
        let explanation = explainer.finish()
        #expect(explanation.outcome == .ready)
        #expect(explanation.unknownLines >= 100_000)
    }
}
