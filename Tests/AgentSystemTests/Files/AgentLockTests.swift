internal import AgentCore
internal import AgentSystem
internal import AgentTestKit
internal import Glibc
internal import Testing

@Suite(.timeLimit(.minutes(1))) struct AgentLockTests {
    let folder = TemporaryFolder()

    @Test("A second agent is refused with the first one's pid, and let in when that has gone")
    func exclusion() throws {
        let path = folder.file("agent.lock")
        var first: AgentLock? = try AgentLock.acquire(path)
        #expect(throws: AgentLock.Refusal.held(by: getpid())) { try AgentLock.acquire(path) }
        withExtendedLifetime(first) {}
        first = nil
        #expect(letIn(path))
    }

    /// A process that another test is spawning right now holds a copy of every descriptor until it has executed.
    private func letIn(_ path: String) -> Bool {
        while true {
            do throws(AgentLock.Refusal) {
                _ = try AgentLock.acquire(path)
                return true
            } catch {
                guard case .held = error else { return false }
            }
        }
    }

    @Test("A holder that has not written its pid yet is reported without one")
    func anonymousHolder() {
        let path = folder.file("agent.lock")
        let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        defer { close(descriptor) }
        flock(descriptor, LOCK_EX)
        #expect(throws: AgentLock.Refusal.held(by: nil)) { try AgentLock.acquire(path) }
    }

    @Test("The lock ends with the process that held it, however it ended")
    func killedHolder() async throws {
        let path = folder.file("agent.lock")
        await #expect(processExitsWith: .signal(SIGKILL)) { [path = path as String] in
            let lock = try AgentLock.acquire(path)
            withExtendedLifetime(lock) { _ = kill(getpid(), SIGKILL) }
        }
        _ = try AgentLock.acquire(path)
    }

    @Test("A lock file that cannot be opened is named")
    func failure() {
        symlink("/etc/passwd", folder.file("link"))
        for name in ["link", "nowhere/agent.lock"] {
            let refusal = #expect(throws: AgentLock.Refusal.self) { try AgentLock.acquire(folder.file(name)) }
            guard case .failed(let failure) = refusal else {
                Issue.record("\(name) was taken")
                continue
            }
            #expect(failure.path == folder.file(name))
        }
    }
}
