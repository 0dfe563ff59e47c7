internal import AgentCore
internal import AgentWire
internal import Testing

@Suite struct NoticeCodecTests {
    private static let notice = Notice(
        id: "aws/instance-action/2017", kind: .hibernate, source: "aws",
        firstSeenAt: BootInstant(nanoseconds: 5_000_000_001), deadline: BootInstant(nanoseconds: 125_000_000_002),
        word: "hibernate")

    @Test("What was written is read again, to the nanosecond", arguments: [true, false])
    func roundTrip(isOver: Bool) throws {
        let bytes = NoticeCodec.render(Self.notice, isOver: isOver, boot: "b1")
        let read = try #require(NoticeCodec.parse(bytes, boot: "b1"))
        #expect(read.notice == Self.notice)
        #expect(read.isOver == isOver)
    }

    @Test("A notice of another boot means nothing")
    func otherBoot() {
        #expect(NoticeCodec.parse(NoticeCodec.render(Self.notice, isOver: false, boot: "b1"), boot: "b2") == nil)
    }

    @Test("What no agent wrote is no notice", arguments: ["", "{", "[]", #"{"boot_id":"b1"}"#])
    func nonsense(text: String) {
        #expect(NoticeCodec.parse([UInt8](text.utf8), boot: "b1") == nil)
    }

    @Test("The control plane's word for an end, by its own clock")
    func announcedEnd() throws {
        let body = #"{"generation":3,"end":{"at":"2017-09-18T09:00:00Z","kind":"stop","reason":"capacity block"}}"#
        let now = BootInstant(nanoseconds: 7_000_000_000)
        let answer = MetadataResponse(
            status: 200, headers: ["date": "Mon, 18 Sep 2017 08:20:00 GMT"], body: [UInt8](body.utf8), at: now)
        let sighting = try #require(AssignmentEnd.finding(in: answer, wallTime: 0)?.sightings?.first)
        #expect(sighting.kind == .stop)
        #expect(sighting.deadline == now + .seconds(2400))
        #expect(sighting.word == "capacity block")
    }

    @Test("An assignment without an end takes an earlier one back; what is no assignment says nothing")
    func noEnd() {
        func finding(_ status: Int, _ body: String) -> SourceFinding? {
            AssignmentEnd.finding(
                in: MetadataResponse(status: status, body: [UInt8](body.utf8), at: BootInstant(nanoseconds: 0)),
                wallTime: 0)
        }
        #expect(finding(200, #"{"generation":3}"#) == .over(key: "end"))
        #expect(finding(200, "<html>") == nil)
        #expect(finding(404, #"{"generation":3}"#) == nil)
        #expect(finding(200, #"{"generation":3,"end":{"at":"tomorrow"}}"#) == nil)
    }

    @Test(
        "A control plane that sends no Date, or means never, does not end the node at once",
        arguments: [
            ("2017-09-18T09:00:00Z", 2400.0), ("2099-01-01T00:00:00Z", 315_576_000),
            ("1980-01-01T00:00:00Z", -315_576_000),
        ])
    func noDate(at: String, seconds: Double) throws {
        let now = BootInstant(nanoseconds: 7_000_000_000)
        let body = #"{"generation":3,"end":{"at":"\#(at)"}}"#
        let answer = MetadataResponse(status: 200, body: [UInt8](body.utf8), at: now)
        let sighting = AssignmentEnd.finding(in: answer, wallTime: 1_505_722_800)?.sightings?.first
        #expect(try #require(sighting).deadline == now + .milliseconds(Int64(seconds * 1000)))
    }
}
