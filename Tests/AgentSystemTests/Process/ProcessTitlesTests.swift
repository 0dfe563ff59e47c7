internal import Testing

@testable internal import AgentSystem

struct ProcessTitlesTests {
    @Test("A title is read again when the name has changed, and only then")
    func caching() {
        var titles = ProcessTitles()
        var process = EngineMembershipTests.process(5, parent: 1, session: 5)
        var reads = 0
        func ask() -> [String] {
            titles.titles(of: [process]) { process in
                reads += 1
                return "title of \(process.command)"
            }
        }
        #expect(ask() == ["title of x"])
        #expect(ask() == ["title of x"])
        #expect(reads == 1)
        process.command = "VLLM::Worker"
        #expect(ask() == ["title of VLLM::Worker"])
        #expect(reads == 2)
        _ = titles.titles(of: [])
        #expect(ask() == ["title of VLLM::Worker"])
        #expect(reads == 3)
    }
}
