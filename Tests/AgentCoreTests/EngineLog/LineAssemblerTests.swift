internal import Testing

@testable internal import AgentCore

@Suite("Bytes are cut into lines")
struct LineAssemblerTests {
    @Test("Ends are newline, return and both together")
    func ends() {
        #expect(lines("a\nb\rc\r\nd\n\n\r\n\re") == ["a", "b", "c", "d"])
    }

    @Test("Terminal sequences go, text stays")
    func escapes() {
        #expect(lines("\u{1B}[1;36m(A pid=1)\u{1B}[0;0m x\n") == ["(A pid=1) x"])
        #expect(lines("\u{1B}[m\u{1B}[0;31mred\n\u{1B}[m\n") == ["red"])
        #expect(lines("a\u{1B}]0;title\u{7}b\u{1B}]8;;u\u{1B}\\c\n") == ["abc"])
        #expect(lines("cut \u{1B}[0;3\nnext\n") == ["cut ", "next"])
    }

    @Test("NULs before a line are skipped, those within and invalid UTF-8 stay")
    func odd() {
        #expect(raw([0, 0, 0, 97, 0, 0xFF, 10]) == [[97, 0, 0xFF]])
    }

    @Test("A long line keeps its head and says so, however it arrives", arguments: [1, 1000, 1 << 20])
    func long(chunk: Int) {
        let limit = LineAssembler.longestLine
        let bytes = [UInt8](repeating: 97, count: 3 * limit) + [10] + [UInt8](repeating: 98, count: limit) + [10]
        var assembler = LineAssembler()
        var found: [(Int, Bool)] = []
        var start = 0
        while start < bytes.count {
            let piece = Array(bytes[start..<min(start + chunk, bytes.count)])
            var position = 0
            while let line = assembler.next(in: piece.span, from: &position) {
                found.append((line.range?.count ?? assembler.assembled.count, line.isTruncated))
            }
            start += chunk
        }
        #expect(found.map(\.0) == [limit, limit])
        #expect(found.map(\.1) == [true, false])
        #expect(assembler.heldBytes <= 2 * limit)
    }

    @Test("A line within a record of vLLM is told from its first")
    func records() {
        var assembler = LineAssembler()
        let bytes = Array("a\r\nb\r\nc\nd\re\n".utf8)
        var position = 0
        var follows: [Bool] = []
        while let line = assembler.next(in: bytes.span, from: &position) { follows.append(line.followsReturnNewline) }
        #expect(follows == [false, true, true, false, false])
    }

    private func lines(_ text: String) -> [String] { raw(Array(text.utf8)).map { String(decoding: $0, as: UTF8.self) } }

    private func raw(_ bytes: [UInt8]) -> [[UInt8]] {
        var assembler = LineAssembler()
        var position = 0
        var lines: [[UInt8]] = []
        while let line = assembler.next(in: bytes.span, from: &position) {
            lines.append(line.range.map { Array(bytes[$0]) } ?? assembler.assembled)
        }
        return lines
    }
}
