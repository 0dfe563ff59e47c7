internal import AgentCore
internal import AgentTestKit
internal import Dispatch
internal import Locking
internal import Testing

@testable internal import AgentSystem

@Suite struct EngineDoorTests {
    private let executor = QueueExecutor(label: "engine-door-tests")

    private func status(_ door: EngineDoor) async -> Result<EngineDoor.Answer, SystemError> {
        await withCheckedContinuation { continuation in
            executor.queue.async { continuation.resume(returning: door.askHere(.status, .main)) }
        }
    }

    @Test("The rest of an earlier answer is none: the question is asked anew, on another connection")
    func outOfStep() async throws {
        let folder = TemporaryFolder()
        let answers = ["ok\nMainPID=1\n\n", "7 (worker) R 1\n\n", "ok\nMainPID=2\n\n"]
        let other = try #require(FakeDoor(folder.file("door"), answers: answers, connections: 2))
        let door = EngineDoor(folder.file("door"), on: executor)
        #expect(try await status(door).get().lines == ["MainPID=1"])
        #expect(try await status(door).get() == EngineDoor.Answer(isDone: true, lines: ["MainPID=2"]))
        #expect(other.heard == "status\nstatus\nstatus\n")
    }

    @Test("A door that speaks another language is an error, and asked once")
    func nonsense() async throws {
        let folder = TemporaryFolder()
        let other = try #require(FakeDoor(folder.file("door"), answers: ["hello\n\n"]))
        let asked = await status(EngineDoor(folder.file("door"), on: executor))
        #expect(throws: SystemError.self) { try asked.get() }
        #expect(other.heard == "status\n")
    }
}
