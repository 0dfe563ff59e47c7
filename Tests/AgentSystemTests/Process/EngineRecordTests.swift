internal import Testing

@testable internal import AgentSystem

struct EngineRecordTests {
    let record = EngineRecord(engine: ProcessIdentity(pid: 100, startTime: 5000), bootID: "boot-1")

    @Test("A record reads back as it was written")
    func roundTrip() {
        #expect(EngineRecord(text: record.text) == record)
    }

    @Test("Damaged records are none", arguments: ["", "100", "100 5000", "1 5000 b", "-7 5000 b", "0 0 b", "a b c d"])
    func damaged(text: String) {
        #expect(EngineRecord(text: text) == nil)
    }

    @Test("The session is looked for in the same boot while its number cannot be anybody else's")
    func surviving() {
        let leader = EngineMembershipTests.process(100, parent: 1, session: 100, since: 5000)
        let stranger = EngineMembershipTests.process(100, parent: 1, session: 100, since: 6000)
        #expect(record.survivingSession(bootID: "boot-1") { _ in leader }?.session == 100)
        #expect(record.survivingSession(bootID: "boot-1") { _ in nil }?.since == 5000)
        #expect(record.survivingSession(bootID: "boot-1") { _ in stranger } == nil)
        #expect(record.survivingSession(bootID: "boot-2") { _ in leader } == nil)
    }
}
