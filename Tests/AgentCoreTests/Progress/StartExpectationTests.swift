internal import Testing

@testable internal import AgentCore

struct StartExpectationTests {
    private static func at(_ seconds: Double) -> BootInstant { BootInstant(nanoseconds: Int64(seconds * 1e9)) }

    private static let key = StartKey(model: "acme/tiny-llama", vllm: "0.32.0", gpu: "A10G", isFirstSinceBoot: true)

    /// Exec at 100 s on the boot clock.
    private static func timeline(_ marks: [(Phase, Double)]) -> Timeline {
        var timeline = Timeline()
        timeline.record(.engineExec, at: at(100), source: .process)
        for (phase, second) in marks { timeline.record(phase, at: at(100 + second), source: .log) }
        return timeline
    }

    private static let usual = StartRecord(
        offsets: [.engineConfig: 8, .weightsStream: 20, .weightsDone: 30, .kvProfile: 31], ready: 36)

    @Test("Nothing is estimated before anything is known")
    func nothingKnown() {
        #expect(StartExpectation(of: []) == nil)
        #expect(StartHistory().expectation(for: Self.key) == nil)
    }

    @Test("The rest is what is left of the present phase and what came after it before")
    func usualStart() throws {
        let expected = try #require(StartExpectation(of: [Self.usual]))
        let early = expected.estimate(Self.timeline([]), weightsLeft: nil, at: Self.at(103))
        #expect(early == Estimate(seconds: 33, starts: 1, isLate: false))
        let later = expected.estimate(Self.timeline([(.engineConfig, 8)]), weightsLeft: nil, at: Self.at(110))
        #expect(later == Estimate(seconds: 26, starts: 1, isLate: false))
    }

    @Test("A phase that takes longer than before is said to be late, and what follows it is still to come")
    func late() throws {
        let expected = try #require(StartExpectation(of: [Self.usual]))
        let late = expected.estimate(Self.timeline([(.engineConfig, 8)]), weightsLeft: nil, at: Self.at(150))
        #expect(late == Estimate(seconds: 16, starts: 1, isLate: true))
    }

    @Test("While the weights stream, their bytes count for more than what was learned")
    func bytes() throws {
        let expected = try #require(StartExpectation(of: [Self.usual]))
        let timeline = Self.timeline([(.engineConfig, 8), (.weightsStream, 20)])
        #expect(expected.estimate(timeline, weightsLeft: 100, at: Self.at(140))?.seconds == 106)
    }

    @Test("A phase that earlier starts did not have is passed over")
    func unknownPhase() throws {
        let expected = try #require(StartExpectation(of: [Self.usual]))
        let timeline = Self.timeline([(.engineConfig, 8), (.compile, 9)])
        #expect(expected.estimate(timeline, weightsLeft: nil, at: Self.at(110))?.seconds == 26)
    }

    @Test("Several starts are known by their median, so that one bad day does not count")
    func median() throws {
        let records = [10.0, 90, 12].map { StartRecord(offsets: [.engineConfig: $0 / 2], ready: $0) }
        let expected = try #require(StartExpectation(of: records))
        #expect(expected.ready == 12)
        #expect(expected.offsets == [.engineConfig: 6])
        #expect(expected.starts == 3)
    }

    @Test("The history keeps the last five starts of the last 64 kinds")
    func bounded() {
        var history = StartHistory()
        for number in 1...200 {
            var key = Self.key
            key.model = "model-\(number)"
            for second in 1...9 { history.learn(StartRecord(offsets: [:], ready: Double(second)), for: key) }
        }
        #expect(history.entries.count == 64)
        #expect(history.entries.allSatisfy { $0.records.map(\.ready) == [5, 6, 7, 8, 9] })
        #expect(history.entries.last?.key.model == "model-200")
    }

    @Test("The first start since boot is compared with first starts only")
    func coldAndWarm() {
        var history = StartHistory()
        history.learn(Self.usual, for: Self.key)
        var warm = Self.key
        warm.isFirstSinceBoot = false
        #expect(history.expectation(for: warm) == nil)
        #expect(history.expectation(for: Self.key)?.ready == 36)
    }
}
