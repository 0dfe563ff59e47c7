internal import AgentCore
internal import AgentTestKit
internal import Glibc
internal import Testing

@testable internal import AgentSystem

extension EngineHostSuite {
    /// Programs that stand in for one that waits: `tail` for what is waited for in vain, Python for what answers.
    @Suite struct ParkedEngineTests {
        private static let refuses = """
            import socket, sys
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(sys.argv[1])
            listener.listen()
            connection = listener.accept()[0]
            connection.recv(1 << 16)
            connection.sendall(sys.argv[2].encode())
            connection.shutdown(socket.SHUT_WR)
            connection.recv(1)
            """

        private let engine = EngineUnderTest()

        private func waiting(_ marker: String) -> EngineLaunch {
            engine.launch("/bin/bash", ["-c", "tail -f /dev/null $1 & tail -f /dev/null $1", "bash", marker])
        }

        /// Of the processes whose command line names a file of this test.
        private func processes(_ marker: String) -> [Int32] {
            ProcessTable.all().map(\.pid).filter { pid in
                // Any of them may end meanwhile.
                let line = (try? LinuxFileStore().read("/proc/\(pid)/cmdline", limit: 1 << 16)).flatMap { $0 } ?? []
                return String(decoding: line, as: UTF8.self).contains(marker)
            }
        }

        @Test("Is one at most, and nothing of it is left once it is not wanted")
        func atMostOne() async {
            let (first, second) = (engine.folder.file("first"), engine.folder.file("second"))
            await engine.host.park(waiting(first))
            await engine.host.park(waiting(second))
            #expect(!processes(first).isEmpty)
            #expect(processes(second).isEmpty)
            await engine.host.unpark()
            #expect(processes(first).isEmpty)
            await engine.host.park(waiting(second))
            #expect(!processes(second).isEmpty)
            await engine.host.unpark()
            #expect(processes(second).isEmpty)
        }

        @Test("Is nothing to an unparking that finds none")
        func noneToUnpark() async {
            await engine.host.unpark()
        }

        @Test(
            "Makes way for one that is executed where it does not take its go, and the log says why",
            arguments: [
                ("refused: VLLM_X differs\n", "VLLM_X differs"), ("", "it gave no answer"),
                ("something else\nmore\n", "something else"),
            ])
        func refusedGo(answer: String, reason: String) async throws {
            let socket = engine.folder.file("go")
            await engine.host.park(engine.launch("/usr/bin/python3", ["-c", Self.refuses, socket, answer]))
            var launch = engine.launch("/bin/bash", ["-c", "echo up=$$; exec tail -f /dev/null"])
            launch.go = EngineGo(socket: socket, arguments: ["serve"])
            let pid = try await engine.start(launch)
            #expect(await engine.number("up") == pid)
            let log = try #require(try LinuxFileStore().read(engine.logPath, limit: 1 << 16))
            #expect(
                String(decoding: log, as: UTF8.self).hasPrefix("crosslogic-launcher: not standby, because \(reason)\n"))
            engine.host.killAll()
            #expect(await engine.exit() == .signalled(signal: SIGKILL, coreDumped: false))
            #expect(await engine.isGone())
            await engine.host.unpark()
            #expect(processes(socket).isEmpty)
        }
    }
}
