internal import AgentCore
internal import Testing

@Suite struct NoticeBoardTests {
    private var board = NoticeBoard()

    private static func at(_ seconds: Double) -> BootInstant {
        BootInstant(nanoseconds: Int64(seconds * 1e9))
    }

    private static func end(_ deadline: Double?, _ kind: NoticeKind = .terminate, mark: String = "m") -> SourceFinding {
        .listed(key: "end", [Sighting(kind, origin: "end", deadline: deadline.map(at), mark: mark)])
    }

    private static let nothing = SourceFinding.listed(key: "end", [])

    private mutating func take(_ finding: SourceFinding, at seconds: Double, from source: String = "aws")
        -> [NoticeBoard.Change]
    {
        board.take(finding, from: source, at: Self.at(seconds))
    }

    @Test("A time that is estimated anew at each look begins one notice, and only ever comes nearer")
    mutating func movingTime() throws {
        guard case .began(let notice)? = take(Self.end(120), at: 0).first else {
            Issue.record("no notice")
            return
        }
        for second in 1...60 {
            #expect(take(Self.end(120 + Double(second), mark: "m\(second)"), at: Double(second)).isEmpty)
        }
        #expect(board.notice?.id == notice.id)
        #expect(board.notice?.deadline == Self.at(120))
        guard case .sooner(let sooner)? = take(Self.end(90), at: 61).first else {
            Issue.record("not sooner")
            return
        }
        #expect(sooner.id == notice.id)
        #expect(sooner.deadline == Self.at(90))
    }

    @Test("Two sources make one notice; it ends when the last of them takes it back")
    mutating func twoSources() {
        #expect(take(Self.end(120), at: 0).count == 1)
        let second = take(Self.end(30, .shutdown), at: 0.5, from: "logind")
        guard case .sooner(let notice)? = second.first else {
            Issue.record("the second source is nearer")
            return
        }
        #expect(notice.kind == .terminate)
        #expect(notice.deadline == Self.at(30))
        #expect(take(Self.nothing, at: 2).isEmpty)
        #expect(take(Self.nothing, at: 3).isEmpty)
        #expect(board.notice != nil)
        #expect(take(.over(key: "end"), at: 4, from: "logind") == [.withdrawn(notice)])
        #expect(board.notice == nil)
    }

    @Test("One empty answer takes nothing back; a second one does")
    mutating func hiccup() {
        _ = take(Self.end(120), at: 0)
        #expect(take(Self.nothing, at: 1).isEmpty)
        #expect(take(Self.end(120), at: 2).isEmpty)
        #expect(take(Self.nothing, at: 3).isEmpty)
        #expect(take(Self.nothing, at: 4).count == 1)
        #expect(board.notice == nil)
    }

    @Test("Advice is reported once and is no notice", arguments: [NoticeKind.rebalance, .freeze])
    mutating func advice(kind: NoticeKind) {
        guard case .advised(let notice)? = take(Self.end(nil, kind), at: 0).first else {
            Issue.record("not advised")
            return
        }
        #expect(notice.kind == kind)
        #expect(board.notice == nil)
        #expect(take(Self.end(nil, kind), at: 1).isEmpty)
    }

    @Test("A time that is long over is that of a machine that was spared: said once, nothing else")
    mutating func pastTime() {
        guard case .lapsed? = take(Self.end(0), at: 500).first else {
            Issue.record("not lapsed")
            return
        }
        #expect(take(Self.end(0), at: 501).isEmpty)
        #expect(board.notice == nil)
    }

    @Test("A time that has just passed still counts")
    mutating func justPassed() {
        #expect(take(Self.end(99), at: 100).count == 1)
        #expect(board.notice?.deadline == Self.at(99))
    }

    @Test("A machine that outlives its time is spared, although AWS goes on showing it")
    mutating func lapse() throws {
        _ = take(Self.end(100), at: 0)
        #expect(board.lapse(at: Self.at(150)).isEmpty)
        #expect(board.lapse(at: Self.at(221)).count == 1)
        #expect(take(Self.end(100), at: 222).isEmpty)
        #expect(board.notice == nil)
        // Taken off the list, it may come again.
        _ = take(Self.nothing, at: 300)
        #expect(take(Self.end(420), at: 301).count == 1)
    }

    @Test("Without a time the cloud's shortest notice counts, from the first look on")
    mutating func noTime() {
        board.settle(CloudPlace(.gcp))
        _ = take(Self.end(nil), at: 10)
        #expect(board.notice?.deadline == Self.at(10) + Cloud.gcp.shortestNotice)
        _ = take(Self.end(nil), at: 20)
        #expect(board.notice?.deadline == Self.at(10) + Cloud.gcp.shortestNotice)
    }

    @Test("Failing for five seconds is blind, said once, and so is the end of it")
    mutating func blind() {
        _ = take(Self.nothing, at: 0)
        #expect(take(.failed(reason: "503"), at: 2).isEmpty)
        guard case .blind(let source)? = take(.failed(reason: "503"), at: 6).first else {
            Issue.record("not blind")
            return
        }
        #expect(source.reason == "503")
        #expect(source.lastAnswerAt == Self.at(0))
        #expect(take(.failed(reason: "503"), at: 7).isEmpty)
        guard case .sighted? = take(Self.nothing, at: 8).first else {
            Issue.record("not sighted")
            return
        }
    }

    @Test("A source that never answers is blind as well, and slows no other")
    mutating func neverAnswers() {
        #expect(take(.failed(reason: "timeout"), at: 0).isEmpty)
        #expect(take(.failed(reason: "timeout"), at: 5).count == 1)
        #expect(take(Self.end(60), at: 5, from: "logind").count == 1)
    }

    @Test("Keys beside the one that matters do not make a source look as if it could see")
    mutating func notedIsNotSight() {
        _ = take(.failed(reason: "503"), at: 0)
        _ = take(.noted(key: "rebalance", []), at: 3)
        #expect(take(.failed(reason: "503"), at: 5).count == 1)
    }

    @Test("A notice of an agent before this one keeps its id and its time")
    mutating func resumed() {
        let notice = Notice(
            id: "aws/end/m", kind: .stop, source: "aws", firstSeenAt: Self.at(1), deadline: Self.at(100), word: "stop")
        board.resume(notice)
        #expect(take(Self.end(100), at: 40).isEmpty)
        #expect(board.notice == notice)
    }
}
