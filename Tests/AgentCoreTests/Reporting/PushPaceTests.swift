internal import AgentCore
internal import AgentTestKit
internal import Testing

@Suite struct PushPaceTests {
    @Test("A fleet begins anywhere in its interval, and each node keeps to it give or take a tenth")
    func well() {
        var pace = PushPace()
        #expect(pace.first(every: .seconds(10), fraction: 0.25) == .milliseconds(2500))
        #expect(pace.taken(next: .seconds(10), fraction: 0) == .seconds(9))
        #expect(pace.taken(next: .seconds(10), fraction: 0.5) == .seconds(10))
    }

    @Test("One that was missed is left out, and where nobody answers for long the next ones become rarer")
    func trouble() {
        var pace = PushPace()
        let pauses = (0..<5).map { _ in pace.failed(every: .seconds(10), retryAfter: nil, fraction: 0.5) }
        #expect(pauses == [.seconds(10), .seconds(15), .seconds(25), .seconds(35), .seconds(35)])
        _ = pace.taken(next: .seconds(10), fraction: 0)
        #expect(pace.failed(every: .seconds(10), retryAfter: nil, fraction: 0) == .seconds(9))
        #expect(pace.failed(every: .seconds(300), retryAfter: nil, fraction: 0.5) == .seconds(300))
    }

    @Test("What the control plane asks to be left alone for is the least")
    func retryAfter() {
        var pace = PushPace()
        #expect(pace.failed(every: .seconds(10), retryAfter: .seconds(60), fraction: 0.5) == .seconds(65))
        #expect(pace.failed(every: .seconds(10), retryAfter: .seconds(1), fraction: 0) == .seconds(10))
    }

    @Test(
        "Polls and heartbeats of a fleet that has lost its control plane come back to it at less than 1.4 times the usual",
        arguments: [1.0, 2.5, 20, 90])
    func fleet(away: Double) {
        var fleet = HerdOfNodes(count: 20_000, awayFor: away)
        let requests = fleet.answeredBySecond
        let usual = Double(requests[40..<99].reduce(0, +)) / 59
        let peak = Double(requests[(100 + Int(away))...].max() ?? 0)
        #expect(peak / usual < 1.4, "\(peak) a second, usually \(usual)")
    }
}

/// Nodes that poll and push, each by its own paces, and a control plane that goes away in the hundredth second.
private struct HerdOfNodes {
    private static let wentAway = 100.0
    private static let held = 30.0
    private static let interval = Duration.seconds(10)

    private let back: Double
    private let end: Double
    private let count: Int
    private var random = SeededGenerator(seed: 11)

    init(count: Int, awayFor away: Double) {
        self.count = count
        back = Self.wentAway + away
        end = back + 100
    }

    var answeredBySecond: [Int] {
        mutating get {
            var seconds = [Int](repeating: 0, count: Int(end))
            for _ in 0..<count {
                for time in polls() + pushes() where time < end.rounded(.down) { seconds[Int(time)] += 1 }
            }
            return seconds
        }
    }

    private func isAway(_ time: Double) -> Bool { time >= Self.wentAway && time < back }

    private mutating func fraction() -> Double { Double.random(in: 0..<1, using: &random) }

    /// When each poll was answered.
    private mutating func polls() -> [Double] {
        var pace = PollPace()
        var answered: [Double] = []
        var time = fraction() * Self.held
        while time < end {
            if isAway(time) {
                time += pace.failed(retryAfter: nil, fraction: { fraction() }).inSeconds
            } else if time < Self.wentAway, time + Self.held >= Self.wentAway {
                // Cut off.
                time = Self.wentAway + pace.failed(retryAfter: nil, fraction: { fraction() }).inSeconds
            } else {
                time += Self.held
                answered.append(time)
                _ = pace.answered(after: .seconds(Self.held), isNews: false, fraction: { 0 })
            }
        }
        return answered
    }

    private mutating func pushes() -> [Double] {
        var pace = PushPace()
        var answered: [Double] = []
        var time = pace.first(every: Self.interval, fraction: fraction()).inSeconds
        while time < end {
            guard !isAway(time) else {
                time += pace.failed(every: Self.interval, retryAfter: nil, fraction: fraction()).inSeconds
                continue
            }
            answered.append(time)
            time += pace.taken(next: Self.interval, fraction: fraction()).inSeconds
        }
        return answered
    }
}
