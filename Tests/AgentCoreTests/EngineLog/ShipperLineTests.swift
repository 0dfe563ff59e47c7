internal import Testing

@testable internal import AgentCore

/// The cases about lines of Vector's file source and Fluent Bit's tail input; their names are in the tests' names.
@Suite struct ShipperLineTests {
    private let ready = "INFO:     Application startup complete."

    @Test(
        "Vector file_read_empty_lines, Fluent Bit skip_empty_lines, skip_empty_lines_crlf",
        arguments: ["\n", "\r\n", "\r"])
    func empty(end: String) {
        var reader = EngineLogReader()
        #expect(reader.feed(text: end + end + ready + end + end + end) == [.startupComplete])
        #expect(reader.unknownLines == 0)
    }

    @Test("Vector test_multi_char_delimiter_split_across_buffer_boundary: CR and LF in two reads are one end")
    func delimiter() {
        var reader = EngineLogReader()
        #expect(reader.feed(text: "\(ready)\r") == [.startupComplete])
        #expect(reader.feed(text: "\nLoading weights took 2.5 seconds\r\n") == [.weightsLoaded(seconds: 2.5)])
        #expect(reader.unfinishedBytes == 0)
    }

    @Test("Vector file_max_line_bytes, Fluent Bit skip_long_lines, truncate_long_lines: the next line is read again")
    func long() {
        var reader = EngineLogReader()
        let piece = [UInt8](repeating: UInt8(ascii: "x"), count: 1 << 16)
        for _ in 0..<(1 << 15) where !reader.feed(piece).isEmpty { Issue.record("a line of x is a fact") }
        #expect(reader.unfinishedBytes == 2 << 30)
        #expect(reader.heldBytes <= 48 * 1024)
        #expect(reader.feed(text: "\n\(ready)\n") == [.startupComplete])
        #expect(reader.unfinishedBytes == 0)
    }

    @Test("Fluent Bit truncate_long_lines_utf8: a text that is cut is not cut within a character")
    func longCharacters() {
        var reader = EngineLogReader()
        let text = "ERROR: x\nRuntimeError: " + String(repeating: "é", count: 20_000) + "\n"
        guard case .exception(let exception) = reader.feed(text: text).last else {
            Issue.record("no exception")
            return
        }
        #expect(exception.message.utf8.count <= 1024)
        #expect(exception.message.allSatisfy { $0 == "é" })
    }

    @Test("Vector test_non_utf8_encoded_file: what is no UTF-8 is neither lost nor in the way")
    func notUTF8() {
        var reader = EngineLogReader()
        let bytes = [0xFF, 0xFE, 0xC3, 0x28, 0xA0, 0x0A].map(UInt8.init) + Array("RuntimeError: ".utf8) + [0xE9, 0x0A]
        let facts = reader.feed(bytes)
        #expect(facts == [.exception(LogException(type: "RuntimeError", message: "\u{FFFD}", process: nil))])
    }

    @Test("Vector test_multi_line_checkpointing: a traceback cut by a restart is understood after the replay")
    func traceback() {
        let head = "Traceback (most recent call last):\n  File \"/opt/bin/vllm\", line 1, in <module>\n    main()\n"
        var whole = EngineLogReader()
        let expected = whole.feed(text: head + "ValueError: no\n")
        var resumed = EngineLogReader()
        #expect(resumed.feed(text: head).isEmpty)
        #expect(resumed.feed(text: "ValueError: no\n") == expected)
        #expect(!expected.isEmpty)
    }

    @Test(
        "Bytes behind the last end are counted, also those that are dropped",
        arguments: ["a", "\n", "\r", "\u{1B}[1m", "\0"])
    func unfinished(start: String) {
        var assembler = LineAssembler()
        let bytes = Array("line\n".utf8) + Array(start.utf8) + [UInt8](repeating: 97, count: 40_000)
        var position = 0
        while assembler.next(in: bytes.span, from: &position) != nil {}
        let isEnd = start == "\n" || start == "\r"
        #expect(assembler.unfinishedBytes == 40_000 + (isEnd ? 0 : start.utf8.count))
    }
}
