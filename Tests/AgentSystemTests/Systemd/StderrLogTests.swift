internal import AgentCore
internal import AgentTestKit
internal import Glibc
internal import Testing

@testable internal import AgentSystem

struct StderrLogTests {
    let folder = TemporaryFolder()

    @Test(
        "Lines are prefixed for journald, or carry the time",
        arguments: [
            (OperatorLogFormat.journal, OperatorLogLevel.error, "<3>disk full\n"),
            (.plain, .info, "2026-11-21T20:05:16.125Z info disk full\n"),
        ])
    func formats(format: OperatorLogFormat, level: OperatorLogLevel, line: String) {
        #expect(format.line(level, "disk full", at: 1_795_291_516.125) == line)
    }

    @Test(
        "Text from outside stays on its line and cannot drive a terminal",
        arguments: [
            ("a\nb\r\tc", "a\\nb\\r\\tc"), ("\u{1b}[31mred\u{7}", "\\u{1b}[31mred\\u{7}"),
            ("\u{202e}txt\u{2028}\u{85}", "\\u{202e}txt\\u{2028}\\u{85}"), ("grüße 漢字 🙂", "grüße 漢字 🙂"),
        ])
    func escapes(text: String, line: String) {
        #expect(OperatorLogFormat.escaped(text) == line)
    }

    @Test("A line has a bound")
    func bound() {
        let line = OperatorLogFormat.escaped(String(repeating: "\n", count: 1 << 20))
        #expect(line.utf8.count < StderrLog.lineLimit + 8)
        #expect(line.hasSuffix("…"))
    }

    @Test("journald is recognised by the numbers of its socket, not by the variable alone")
    func journalStream() {
        folder.write("", to: "log")
        let descriptor = open(folder.file("log"), O_WRONLY | O_APPEND | O_CLOEXEC)
        defer { close(descriptor) }
        var status = stat()
        fstat(descriptor, &status)
        for stream in ["\(status.st_dev):\(status.st_ino)", "\(status.st_dev):\(status.st_ino + 1)", nil] {
            let log = StderrLog(descriptor: descriptor, minimum: .notice, journalStream: stream)
            log.write(.warning, "one")
            log.write(.info, "left out")
            log.drain()
        }
        let lines = (folder.text(of: "log") ?? "").split(separator: "\n")
        #expect(lines.first == "<4>one")
        #expect(lines.count == 3)
        #expect(lines.dropFirst().allSatisfy { $0.hasSuffix("Z warning one") })
    }

    @Test("A log nobody reads holds up no writer, and says later how much was lost")
    func stalled() {
        var ends: [Int32] = [0, 0]
        pipe(&ends)
        let log = StderrLog(descriptor: ends[1], minimum: .debug, journalStream: nil)
        let count = 5000
        for index in 0..<count { log.write(.info, "line \(index) \(String(repeating: "x", count: 100))") }
        // The pipe is full and the writer stuck; whoever reads on gets the queue, and then the loss.
        var text = ""
        var buffer = [UInt8](repeating: 0, count: 1 << 16)
        while text.split(separator: "\n").count(where: { $0.contains("line") && !$0.contains("dropped") }) < 1024 {
            let length = read(ends[0], &buffer, buffer.count)
            text += String(decoding: buffer.prefix(max(0, length)), as: UTF8.self)
        }
        log.write(.info, "the end")
        while !text.contains("the end") {
            let length = read(ends[0], &buffer, buffer.count)
            text += String(decoding: buffer.prefix(max(0, length)), as: UTF8.self)
        }
        #expect(text.contains("log lines were dropped"))
        for end in ends { close(end) }
    }
}
