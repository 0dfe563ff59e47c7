internal import Testing

@testable internal import AgentSystem

struct EngineMembershipTests {
    static let agent: Int32 = 10
    static let membership = EngineMembership(
        session: 100, since: 1000, agent: agent, agentSession: 9, adoptsOrphans: true)

    static func process(_ pid: Int32, parent: Int32, session: Int32, since: UInt64 = 2000) -> ProcessStat {
        ProcessStat(
            pid: pid, command: "x", state: UInt8(ascii: "S"), parent: parent, session: session, cpuTicks: 0,
            startTime: since, residentPages: 0, majorFaults: 0)
    }

    static let table = [
        process(agent, parent: 1, session: 9, since: 10),
        process(11, parent: agent, session: 9),
        process(100, parent: agent, session: 100, since: 1000),
        process(101, parent: 100, session: 100),
        process(102, parent: 101, session: 102),
        process(103, parent: agent, session: 103),
        process(104, parent: 103, session: 104),
        process(200, parent: 1, session: 200),
        process(201, parent: 1, session: 100, since: 999),
    ]

    @Test("The session, what left it, and orphans with their children are the engine; the agent's own helpers are not")
    func members() {
        #expect(Self.membership.members(of: Self.table).map(\.pid) == [100, 101, 102, 103, 104])
    }

    @Test("Without adoption only the session and its descendants count")
    func noAdoption() {
        var membership = Self.membership
        membership.adoptsOrphans = false
        #expect(membership.members(of: Self.table).map(\.pid) == [100, 101, 102])
    }

    @Test("A table that names its own ancestors in a circle comes to an end")
    func circle() {
        let table = [Self.process(100, parent: 101, session: 100), Self.process(101, parent: 100, session: 100)]
        #expect(Self.membership.members(of: table).map(\.pid) == [100, 101])
    }
}
