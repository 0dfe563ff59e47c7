internal import AgentCore
internal import AgentTestKit
internal import Glibc
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

    @Test("A process that listens in the place of the one that was asked for is sent nothing")
    func stranger() throws {
        let folder = TemporaryFolder()
        let place = folder.file("standby.sock")
        let listener = try UnixListener(at: place)
        let secret = [EnvironmentVariable("KEY", "canary")]
        let reason = StandbySocket.go(place, to: 1, arguments: ["serve"], environment: secret)
        #expect(reason == "\(place): pid \(getpid()) listens there, not pid 1")
        #expect(listener.received() == [])
    }

    @Test("Which execution is the engine survives being written down; what is no record is none")
    func executionRecord() {
        let record = ExecutionRecord(invocation: "abc", at: BootInstant(nanoseconds: 12))
        #expect(ExecutionRecord(record.text) == record)
        for text in ["", "abc", "abc x", "a b c"] { #expect(ExecutionRecord(text) == nil) }
    }

    @Test("An execution is the engine by its name, or as the one that was about to be started there")
    func executions() {
        let lines = ["ActiveState=active", "InvocationID=abc", "ExecMainStartTimestampMonotonic=1000"]
        let status = UnitStatus(lines, suspended: 0)
        let go = BootInstant(nanoseconds: 5_000_000)
        #expect(ExecutionRecord(invocation: "abc", at: go).start(of: status, at: .main) == go)
        #expect(ExecutionRecord(invocation: "other", at: go).start(of: status, at: .main) == nil)
        let before = ExecutionRecord(startingAt: .main, BootInstant(nanoseconds: 1))
        #expect(before.start(of: status, at: .main) == status.startedAt)
        #expect(before.start(of: status, at: .spare) == nil)
        #expect(ExecutionRecord(startingAt: .main, go).start(of: status, at: .main) == nil)
    }

    @Test("A session of the host's other engine is not this engine's, though both are the agent's children")
    func strangers() {
        let table = EngineMembershipTests.table
        #expect(EngineMembershipTests.membership.members(of: table, without: [103]).map(\.pid) == [100, 101, 102])
    }
}
