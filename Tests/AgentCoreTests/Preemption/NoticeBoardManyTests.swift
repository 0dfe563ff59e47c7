internal import AgentCore
internal import Testing

/// More than one notice, or the same one again.
@Suite struct NoticeBoardManyTests {
    private var board = NoticeBoard()

    init() { board.settle(CloudPlace(.azure)) }

    private static func at(_ seconds: Double) -> BootInstant {
        BootInstant(nanoseconds: Int64(seconds * 1e9))
    }

    private static func sighting(
        _ origin: String, _ deadline: Double?, _ kind: NoticeKind = .terminate
    ) -> Sighting {
        Sighting(kind, origin: "events/\(origin)", deadline: deadline.map(at), word: origin)
    }

    private mutating func list(_ sightings: [Sighting], at seconds: Double) -> [NoticeBoard.Change] {
        board.take(.listed(key: "events", sightings), from: "azure", at: Self.at(seconds))
    }

    @Test("Of two events at one look the nearer one is the notice, whatever their order")
    mutating func nearestFirst() {
        let changes = list([Self.sighting("reboot", 900, .maintenance), Self.sighting("evict", 8)], at: 0)
        #expect(changes.count == 1)
        #expect(board.notice?.kind == .terminate)
        #expect(board.notice?.word == "evict")
        #expect(board.notice?.deadline == Self.at(8))
    }

    @Test("An eviction after a reboot was announced is what ends the node; the notice stays the same one")
    mutating func overtaken() throws {
        _ = list([Self.sighting("reboot", 900, .maintenance)], at: 0)
        let id = try #require(board.notice?.id)
        _ = list([Self.sighting("reboot", 900, .maintenance), Self.sighting("evict", 18)], at: 10)
        #expect(board.notice?.id == id)
        #expect(board.notice?.kind == .terminate)
        #expect(board.notice?.word == "evict")
    }

    @Test("The nearer one is taken back, the other is still far away: that one is a notice of its own")
    mutating func fartherRemains() throws {
        let reboot = Self.sighting("reboot", 900, .maintenance)
        _ = list([reboot, Self.sighting("evict", 8)], at: 0)
        _ = list([reboot], at: 1)
        let changes = list([reboot], at: 2)
        guard case .withdrawn? = changes.first, case .began(let next)? = changes.last else {
            Issue.record("\(changes)")
            return
        }
        #expect(next.kind == .maintenance)
        #expect(next.deadline == Self.at(900))
    }

    @Test("A machine that outlives the nearer one still knows of the other")
    mutating func lapseKeepsTheRest() {
        let (reboot, evict) = (Self.sighting("reboot", 900, .maintenance), Self.sighting("evict", 8))
        _ = list([reboot, evict], at: 0)
        let changes = board.lapse(at: Self.at(130))
        guard case .lapsed? = changes.first, case .began(let next)? = changes.last else {
            Issue.record("\(changes)")
            return
        }
        #expect(next.deadline == Self.at(900))
        #expect(list([reboot, evict], at: 131).isEmpty)
    }

    @Test("After a notice that lapsed, a time that jumps ahead is a new one; one that creeps is not")
    mutating func newTimeAfterLapse() {
        _ = list([Self.sighting("end", 120)], at: 0)
        for second in stride(from: 1.0, through: 240, by: 1) {
            _ = list([Self.sighting("end", 120 + second)], at: second)
        }
        #expect(board.lapse(at: Self.at(241)).count == 1)
        for second in stride(from: 242.0, through: 300, by: 1) {
            #expect(list([Self.sighting("end", 120 + second)], at: second).isEmpty)
        }
        guard case .began(let notice)? = list([Self.sighting("end", 800)], at: 301).first else {
            Issue.record("no new notice")
            return
        }
        #expect(notice.deadline == Self.at(800))
    }

    @Test("Of a past time shown for long, a later one is a new notice")
    mutating func afterSpared() {
        guard case .lapsed? = list([Self.sighting("end", 0)], at: 500).first else {
            Issue.record("not lapsed")
            return
        }
        #expect(list([Self.sighting("end", 0)], at: 501).isEmpty)
        #expect(list([Self.sighting("end", 622)], at: 502).count == 1)
    }

    @Test("What an earlier agent was told and its source shows no more is taken back")
    mutating func resumedAndGone() {
        let notice = Notice(
            id: "azure/events/1", kind: .terminate, source: "azure", firstSeenAt: Self.at(1), deadline: Self.at(100),
            word: "", origin: "events/1")
        board.resume(notice)
        #expect(list([], at: 10).isEmpty)
        #expect(list([], at: 11) == [.withdrawn(notice)])
    }

    @Test("A source counts from the moment it is asked: one that never answers is blind within ten seconds")
    mutating func blindFromTheStart() {
        #expect(board.take(.begun, from: "azure", at: Self.at(0)).isEmpty)
        #expect(board.sources.first?.state == .starting)
        #expect(board.take(.failed(reason: "timeout"), from: "azure", at: Self.at(8.25)).count == 1)
    }

    @Test("Steps that are too small to tell add up: the end that is told is never a second late")
    mutating func smallSteps() throws {
        _ = list([Self.sighting("end", 120)], at: 0)
        var told = Self.at(120)
        for look in 1...60 {
            let deadline = 120 - 0.5 * Double(look)
            for case .sooner(let sooner) in list([Self.sighting("end", deadline)], at: Double(look)) {
                told = sooner.deadline
            }
            #expect(told - Self.at(deadline) < .seconds(1))
        }
        #expect(told == Self.at(90))
    }

    @Test("An event that gets another name at every look is one notice, soon or far away", arguments: [8.0, 900])
    mutating func renamed(deadline: Double) {
        var changes: [NoticeBoard.Change] = []
        for look in 0..<6 {
            changes += list([Self.sighting("reboot-\(look)", deadline, .maintenance)], at: Double(look))
        }
        #expect(changes.count == 1)
        #expect(board.notice?.word == "reboot-0")
        _ = list([], at: 6)
        #expect(list([], at: 7).count == 1)
        #expect(board.notice == nil)
    }

    @Test("A source of another cloud is not shown any more; what it has said stands")
    mutating func otherCloud() {
        _ = list([Self.sighting("evict", 8)], at: 0)
        _ = board.take(.begun, from: "aws", at: Self.at(0))
        #expect(board.take(.ended, from: "azure", at: Self.at(1)).isEmpty)
        #expect(board.sources.map(\.name) == ["aws"])
        #expect(board.notice != nil)
    }
}
