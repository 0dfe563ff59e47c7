internal import AgentCore
internal import AgentWire
internal import Testing

@Suite struct EnvFileTests {
    private func parse(_ text: String) -> [String: String] { EnvFile.parse([UInt8](text.utf8)).variables }

    @Test(
        "Lines are read as a shell and systemd both read them",
        arguments: [
            ("A=1", "1"), ("export A=1", "1"), ("A=\"a b\"", "a b"), ("A='a \"b\"'", "a \"b\""), ("  A = 1", ""),
            ("A=\"a\\\"b\\\\c\"", "a\"b\\c"), ("A=", ""), ("# c\n\nA=1\r\n", "1"), ("A=1\nA=2", "2"), ("A=x=y", "x=y"),
        ])
    func lines(text: String, value: String) {
        #expect(parse(text)["A", default: ""] == value)
    }

    @Test("Lines that end as on Windows are lines")
    func carriageReturns() {
        #expect(parse("A=1\r\nB=\"2\"\r\n") == ["A": "1", "B": "2"])
    }

    @Test("A line that cannot be read is named by its number")
    func faults() {
        let faults = EnvFile.parse([UInt8]("A=1\nnonsense\n1B=2\nC=\"open".utf8)).faults
        #expect(faults.map(\.field) == ["line 2", "line 3", "line 4"])
    }

    @Test(
        "What is written is read back, whatever the bytes",
        arguments: [
            "plain", "with blank", "quote\"quote", "back\\slash", "$HOME", "`id`", "'", "ü€", "",
            // A combining mark makes one Character of itself and what stands before it.
            "a\"\u{301}b", "\\\u{301}", "\u{301}", "\"\u{301}", "=\u{301}",
        ])
    func roundTrip(value: String) throws {
        let bytes = try #require(EnvFile.render([EnvironmentVariable("A", value)]))
        #expect(parse(String(decoding: bytes, as: UTF8.self)) == ["A": value])
    }

    @Test("A quote is escaped also where a combining mark makes one Character of both")
    func combiningMark() throws {
        let bytes = try #require(EnvFile.render([EnvironmentVariable("A", "\"\u{301}")]))
        #expect(bytes == [UInt8](#"A="\""#.utf8) + [0xCC, 0x81] + [UInt8]("\"\n".utf8))
    }

    @Test("A value that would begin a line of its own is refused", arguments: ["a\nB=1", "a\u{0}b", "a\rb"])
    func injection(value: String) {
        #expect(EnvFile.render([EnvironmentVariable("A", value)]) == nil)
    }
}
