internal import AgentCore
internal import Testing

@testable internal import AgentRuntime

@Suite struct SeenFactsTests {
    /// Those of the facts that are news, in order.
    private func news(_ facts: [LogFact]) -> [LogFact] {
        var seen = SeenFacts()
        return facts.filter { seen.isNews($0) }
    }

    @Test("A bar is news at every percent, each bar by itself")
    func bars() {
        let facts: [LogFact] = [
            .weightsProgress(done: 0, total: 1000, unit: .tensors), .graphCaptureProgress(done: 0, total: 10),
            .weightsProgress(done: 10, total: 1000, unit: .tensors), .graphCaptureProgress(done: 1, total: 10),
        ]
        #expect(news(facts) == facts)
        #expect(news(facts.flatMap { [$0, $0] }) == facts)
        #expect(news((0..<100).map { .graphCaptureProgress(done: $0, total: 1000) }).count == 10)
    }

    @Test("Everything else is news once, whatever it says; exceptions never are")
    func others() {
        let exception = LogFact.exception(LogException(type: "ValueError", message: "", process: nil))
        let facts: [LogFact] = [.startupComplete, .startupComplete, .serverStarting(url: "a"), exception]
        #expect(news(facts + [.serverStarting(url: "b")]) == [.startupComplete, .serverStarting(url: "a")])
    }

    @Test("What the launcher takes back is news as well, up to a point")
    func launcher() {
        let facts = ["preload, 9 modules", "plain, because OSError", "EngineCore: spawned, because"]
            .map { LogFact.launcher($0) }
        #expect(news(facts) == facts)
        #expect(news((0..<1000).map { .launcher("\($0)") }).count == 16)
    }

    @Test("A bar without a total stands at nothing")
    func noTotal() {
        let facts = [3, 4].map { LogFact.weightsProgress(done: $0, total: 0, unit: nil) }
        #expect(news(facts) == [facts[0]])
    }
}
