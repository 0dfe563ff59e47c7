internal import AgentCore
internal import Testing

@testable internal import AgentSystem

@Suite struct StandbyTests {
    @Test("A go is strings of C, arguments and variables, with an empty one at the end")
    func message() {
        let bytes = StandbySocket.message(["serve", "ü"], [EnvironmentVariable("A", "b=c")])
        #expect(bytes == Array("Aserve\0Aü\0EA=b=c\0\0".utf8))
    }

    @Test("Where nobody listens the reason is told at once when the engine has ended")
    func nobody() {
        let reason = StandbySocket.go("/nowhere/standby.sock", arguments: [], environment: [], while: { false })
        #expect(reason?.contains("/nowhere/standby.sock: connect") == true)
    }

    @Test("When an engine was told to serve survives being written down; what is no record is none")
    func goRecord() {
        let record = GoRecord(invocation: "abc", at: BootInstant(nanoseconds: 12))
        #expect(GoRecord(record.text) == record)
        for text in ["", "abc", "abc x", "a b c"] { #expect(GoRecord(text) == nil) }
    }

    @Test("A session of the host's other engine is not this engine's, though both are the agent's children")
    func strangers() {
        let table = EngineMembershipTests.table
        #expect(EngineMembershipTests.membership.members(of: table, without: [103]).map(\.pid) == [100, 101, 102])
    }
}
