internal import AgentCore
internal import AgentTestKit
internal import Glibc
internal import Testing

@testable internal import AgentSystem

@Suite struct SystemdEngineHostTests {
    @Test("Nobody who listens is called a stranger before it is known which processes are the engine's")
    func unknownGroup() throws {
        let folder = TemporaryFolder()
        // Takes the question, and does not answer it.
        let door = try #require(UnixSocket.bound(SOCK_STREAM, at: folder.file("door")))
        let (listener, port) = try #require(LoopbackSocket.listen())
        defer {
            close(door)
            close(listener)
        }
        try #require(listen(door, 8) == 0)
        let host = SystemdEngineHost(path: folder.file("door"), clocks: LinuxClocks())
        #expect(host.listeners(onTCPPort: port).count == 1)
        let launch = EngineLaunch(
            executable: "/bin/false", arguments: [], environment: [], logPath: "/dev/null", workingDirectory: "/")
        let events = host.run(launch)
        #expect(host.listeners(onTCPPort: port).isEmpty)
        withExtendedLifetime(events) {}
    }
}
