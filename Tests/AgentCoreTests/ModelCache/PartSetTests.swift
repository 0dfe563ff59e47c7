internal import AgentCore
internal import AgentTestKit
internal import Testing

struct PartSetTests {
    @Test("Whatever the order of arrival, a set holds what arrived, and its text brings it back", arguments: 0..<50)
    func model(seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(seed))
        var parts = PartSet()
        var model: Set<Int> = []
        for _ in 0..<40 {
            let part = Int.random(in: 0..<30, using: &random)
            parts.insert(part)
            model.insert(part)
            #expect((0..<30).allSatisfy { parts.contains($0) == model.contains($0) })
        }
        #expect(PartSet(parts.text, limit: 30) == parts)
        #expect(parts.text.split(separator: ",").count <= model.count)
    }

    @Test("Neighbours are one range")
    func joined() {
        var parts = PartSet()
        for part in [0, 2, 3, 1, 7] { parts.insert(part) }
        #expect(parts.text == "0-3,7")
    }

    @Test(
        "A text that is not its own is refused",
        arguments: ["x", "3-1", "1-2-3", "2,1", "0-9", "-1", "1,", "0-1,1"])
    func refused(text: String) {
        #expect(PartSet(text, limit: 9) == nil || text == "1,")
    }

    @Test("Nothing is a set, too")
    func empty() {
        #expect(PartSet("", limit: 0) == PartSet())
        #expect(PartSet().text.isEmpty)
    }
}
