internal import AgentCore
internal import AgentSystem
internal import AgentTestKit
internal import Glibc
internal import Testing

extension EngineHostSuite {
    @Suite struct EngineSocketFolderTests {
        let folder = TemporaryFolder()

        @Test("Sockets of an engine that was killed are gone before it is told to be, and nothing else is")
        func killed() async throws {
            let host = host(sockets: folder.file("rpc"))
            let launch = EngineLaunch(
                executable: "/bin/sleep", arguments: ["1000"], environment: [], logPath: folder.file("vllm.log"),
                workingDirectory: folder.path)
            var events = host.run(launch).makeAsyncIterator()
            guard case .started = await events.next() else { throw EngineUnderTest.NotStarted() }
            try leaveSocket("rpc/a")
            folder.write("mine", to: "rpc/b")
            host.killAll()
            while let event = await events.next() {
                if case .gone = event { break }
            }
            #expect(!isThere("rpc/a"))
            #expect(folder.text(of: "rpc/b") == "mine")
        }

        @Test("Sockets of an engine whose agent was killed as well are removed by the next agent")
        func leftOver() async throws {
            let host = host(sockets: folder.file("rpc"))
            mkdir(folder.file("rpc"), 0o700)
            try leaveSocket("rpc/a")
            #expect(await host.removeLeftovers() == [])
            #expect(!isThere("rpc/a"))
        }

        @Test("An engine whose sockets have no place is not started, and it is said why")
        func noPlace() async throws {
            let path = "/proc/no-such-place/rpc"
            let host = host(sockets: path)
            let launch = EngineLaunch(
                executable: "/bin/true", arguments: [], environment: [], logPath: folder.file("vllm.log"),
                workingDirectory: folder.path)
            var events = host.run(launch).makeAsyncIterator()
            guard case .startFailed(let failure, _) = await events.next() else { throw EngineUnderTest.NotStarted() }
            #expect(failure.failure == .localStorage)
            #expect(failure.message.hasPrefix("cannot make \(path)"))
        }

        private func host(sockets: String) -> ChildEngineHost {
            ChildEngineHost(record: folder.file("engine"), sockets: sockets, clocks: LinuxClocks())
        }

        private func isThere(_ name: String) -> Bool {
            var status = stat()
            return lstat(folder.file(name), &status) == 0
        }

        /// As of a process that was killed: bound, and closed without being removed.
        private func leaveSocket(_ name: String) throws {
            _ = try UnixListener(at: folder.file(name))
            try #require(isThere(name))
        }
    }
}
