internal import AgentCore
internal import AgentTestKit
internal import Testing

@Suite struct PollPaceTests {
    private static func connected(_ pace: PollPace = PollPace()) -> PollPace {
        var pace = pace
        _ = pace.answered(after: .seconds(30), isNews: false, fraction: { 0 })
        return pace
    }

    @Test("Before the control plane has ever answered, it is asked again soon")
    func boot() {
        var pace = PollPace()
        let pauses = (0..<8).map { _ in pace.failed(retryAfter: nil, fraction: { 1 }) }
        #expect(pauses.map(\.inSeconds) == [0.5, 1, 2, 4, 8, 16, 30, 30])
    }

    @Test("A fleet that is cut off at once comes back evenly over twenty seconds")
    func herd() {
        var random = SeededGenerator(seed: 7)
        var comeBack = [Int](repeating: 0, count: 20)
        for _ in 0..<20_000 {
            var pace = Self.connected()
            let pause = pace.failed(retryAfter: nil, fraction: { Double.random(in: 0..<1, using: &random) })
            comeBack[Int(pause.inSeconds)] += 1
        }
        #expect(comeBack.allSatisfy { (900...1100).contains($0) }, "\(comeBack)")
    }

    @Test("Each time it answers, the spread is there anew; while it stays away, nobody waits longer than 30 s")
    func again() {
        var pace = Self.connected()
        let away = (0..<4).map { _ in pace.failed(retryAfter: nil, fraction: { 1 }) }
        #expect(away == [.seconds(20), .seconds(30), .seconds(30), .seconds(30)])
        pace = Self.connected(pace)
        #expect(pace.failed(retryAfter: nil, fraction: { 0.5 }) == .seconds(10))
    }

    @Test("What the control plane asks to be left alone for is the least")
    func retryAfter() {
        var pace = Self.connected()
        #expect(pace.failed(retryAfter: .seconds(60), fraction: { 0.5 }) == .seconds(70))
        var fresh = PollPace()
        #expect(fresh.failed(retryAfter: .seconds(60), fraction: { 0 }) == .seconds(60))
    }

    @Test("A control plane that holds the request, or has news, is asked again at once")
    func held() {
        var pace = PollPace()
        #expect(pace.answered(after: .seconds(30), isNews: false, fraction: { 1 }) == nil)
        #expect(pace.answered(after: .milliseconds(2), isNews: true, fraction: { 1 }) == nil)
        let unheld = (0..<3).map { _ in pace.answered(after: .milliseconds(2), isNews: false, fraction: { 1 }) }
        #expect(unheld == [.milliseconds(500), .seconds(1), .seconds(2)])
    }

    @Test(
        "A node that bears no long silence asks more often and comes back sooner",
        arguments: [(nil, 30, 20), (3600, 30, 20), (60, 20, 20), (9, 3, 3), (1, 1, 0)])
    func patience(seconds: Int?, wait: Int, spread: Int) {
        let pace = PollPace(patience: seconds.map { .seconds($0) })
        #expect(pace.wait == .seconds(wait))
        #expect(Int(pace.spread.inSeconds) == spread)
    }
}
