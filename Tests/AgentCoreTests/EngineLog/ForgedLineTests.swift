internal import Testing

@testable internal import AgentCore

@Suite("Text that others bring into the log becomes no fact")
struct ForgedLineTests {
    @Test(
        "Words in the middle of a line mean nothing",
        arguments: [
            "INFO 11-21 18:56:10 [logger.py:39] Received request cmpl-1: prompt: 'Application startup complete.'",
            "INFO 11-21 18:56:10 [logger.py:39] Received request Application startup complete.: prompt: ''",
            "INFO:     1.2.3.4:5 - \"GET /INFO:     Application startup complete. HTTP/1.1\" 404 Not Found",
            "(APIServer pid=1) INFO 11-21 18:56:10 [x.py:1] Using max model length of GPU KV cache size: 1 tokens",
            "    raise ValueError('torch.OutOfMemoryError: CUDA out of memory')",
            "  File \"/x/Application startup complete.\", line 1, in Starting to load model x",
            "INFO 11-21 18:56:10 [x.py:1] the model vLLM API server version 9.9",
            "Application startup complete. Or is it?",
            "bash: warning: setlocale: LC_ALL: cannot change locale",
            "g++: error: unrecognized command line option '-x'",
            "WARNING 11-21 18:56:10 [x.py:1] ValueError: only a warning",
            "INFO 11-21 18:56:10 [x.py:1] Killed",
        ])
    func middle(_ line: String) {
        var reader = EngineLogReader()
        #expect(reader.feed(text: line + "\n").isEmpty)
        #expect(reader.unknownLines == 1)
    }

    @Test("Further lines of a record are not vLLM's own words")
    func record() {
        let header = "(APIServer pid=1) ERROR 11-21 18:56:10 [serving.py:5] "
        var reader = EngineLogReader()
        let facts = reader.feed(
            text: header + "Error in preprocessing prompt\r\n" + header + "Starting to load model x...\r\n" + header
                + "[shutdown] API server: shutdown triggered\r\n" + header + "Application startup complete.\n")
        #expect(facts.isEmpty)
        #expect(reader.feed(text: header + "Starting to load model x...\n") == [.modelLoadStarted])
    }

    @Test("A log whose every line ends in return and newline is read all the same")
    func returns() {
        var reader = EngineLogReader()
        let facts = reader.feed(
            text: "INFO 11-21 18:00:00 [a.py:1] Starting to load model x...\r\n"
                + "INFO 11-21 18:00:00 [b.py:2] Loading weights took 2.5 seconds\r\nINFO:     Application startup complete.\r\n"
        )
        #expect(facts == [.modelLoadStarted, .weightsLoaded(seconds: 2.5), .startupComplete])
    }

    @Test("Secrets among the arguments stay out of facts and evidence")
    func secrets() {
        var reader = EngineLogReader()
        let facts = reader.feed(
            text: "INFO 11-21 18:00:00 [a.py:1] non-default args: {'model': 'm', 'api_key': ['sk-1', 'sk-2'], "
                + "'hf_token': 'hf_3', 'max_num_batched_tokens': 8}\n"
                + "INFO 01-05 10:00:00 api_server.py:713] args: Namespace(api_key='sk-4', tokenizer=None, hf_token=None)\n"
        )
        #expect(
            facts == [
                .nonDefaultArguments(
                    "{'model': 'm', 'api_key': <redacted>, 'hf_token': <redacted>, 'max_num_batched_tokens': 8}"),
                .allArguments("Namespace(api_key=<redacted>, tokenizer=None, hf_token=None)"),
            ])
        let report = reader.explain(.signalled(signal: 9, coreDumped: false))
        #expect(!report.evidence.joined().contains("sk-"))
    }

    @Test("Control characters do not reach messages")
    func control() {
        var reader = EngineLogReader()
        let facts = reader.feed(text: "ValueError: a\u{7}b\u{0}c\td\n")
        #expect(facts == [.exception(LogException(type: "ValueError", message: "a b c d", process: nil))])
    }
}
