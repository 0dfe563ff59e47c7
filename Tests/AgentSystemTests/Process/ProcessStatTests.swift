internal import Testing

@testable internal import AgentSystem

struct ProcessStatTests {
    static func line(_ command: String) -> [UInt8] {
        Array(
            """
            4242 (\(command)) S 17 4242 4200 0 -1 4194304 1 2 3 4 150 50 5 6 20 0 1 0 987654 12345678 300 18446744073709551615 \
            1 1 0 0 0 0 0 0 0 0 0 0 17 1 0 0 0 0 0
            """.utf8)
    }

    @Test(
        "Fields are found behind any name a process gives itself",
        arguments: ["vllm", "VLLM::EngineCor", "a) R 1 1 1", "(((", ")", "", " ) S ", "\n"])
    func commands(command: String) throws {
        let stat = try #require(ProcessStat(Self.line(command)))
        #expect(stat.pid == 4242)
        #expect(stat.command == command)
        #expect(stat.state == UInt8(ascii: "S"))
        #expect(stat.parent == 17)
        #expect(stat.session == 4200)
        #expect(stat.cpuTicks == 200)
        #expect(stat.startTime == 987_654)
        #expect(stat.residentPages == 300)
    }

    @Test("Bytes that are no such line give nothing", arguments: ["", "1", "1 (a", "1 a) S", "x (a) S 1", ") ("])
    func junk(text: String) {
        #expect(ProcessStat(Array(text.utf8)) == nil)
        #expect(ProcessStat(Self.line("a").dropLast(120)) == nil)
    }
}

extension ProcessStat {
    fileprivate init?(_ line: ArraySlice<UInt8>) { self.init(Array(line)) }
}
