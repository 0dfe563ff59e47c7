internal import AgentCore
internal import AgentTestKit
internal import Glibc
internal import Testing

@testable internal import AgentSystem

extension EngineHostSuite {
    /// An agent in a process of its own starts an engine and is gone: what the next agent finds.
    @Suite struct LeftoverTests {
        let folder = TemporaryFolder()

        @Test("An engine left by an agent that died is killed with its workers, and forgotten")
        func wholeSession() async throws {
            let host = ChildEngineHost(record: folder.file("engine"), clocks: LinuxClocks())
            let pids = try await abandonedEngine()
            let killed = await host.removeLeftovers()
            #expect(Set(killed).isSuperset(of: pids))
            #expect(killed.allSatisfy { !isRunning($0) })
            #expect(folder.text(of: "engine") == nil)
            #expect(await host.removeLeftovers().isEmpty)
        }

        @Test("Workers are found when the main process is dead and reaped")
        func withoutLeader() async throws {
            // Made first: it makes this process the one that orphans come to.
            let host = ChildEngineHost(record: folder.file("engine"), clocks: LinuxClocks())
            let pids = try await abandonedEngine()
            kill(pids[0], SIGKILL)
            #expect(waitpid(pids[0], nil, 0) == pids[0])
            #expect(await host.removeLeftovers().contains(pids[1]))
            #expect(!isRunning(pids[1]))
        }

        @Test("A record of another boot, or of another process with the same pid, leads to no kill")
        func strangers() async throws {
            let host = ChildEngineHost(record: folder.file("engine"), clocks: LinuxClocks())
            let pids = try await abandonedEngine()
            let record = try #require(folder.text(of: "engine"))
            let fields = record.split(separator: " ")
            for stale in ["\(fields[0]) \(fields[1]) another-boot\n", "\(fields[0]) 1 \(fields[2])", "1 1 x\n", "junk"]
            {
                folder.write(stale, to: "engine")
                #expect(await host.removeLeftovers().isEmpty)
                #expect(pids.allSatisfy(isRunning))
            }
            folder.write(record, to: "engine")
            #expect(Set(await host.removeLeftovers()).isSuperset(of: pids))
        }

        @Test("A removal that was cancelled before it began kills nothing")
        func cancelled() async throws {
            let host = ChildEngineHost(record: folder.file("engine"), clocks: LinuxClocks())
            let pids = try await abandonedEngine()
            await withTaskGroup(of: [Int32].self) { group in
                group.cancelAll()
                group.addTask { await host.removeLeftovers() }
                #expect(await group.next() == [])
            }
            #expect(pids.allSatisfy(isRunning))
            #expect(Set(await host.removeLeftovers()).isSuperset(of: pids))
        }

        @Test("An agent that is killed before its engine is written down leaves no engine")
        func killedBeforeTheRecord() async throws {
            // Made first: it makes this process the one that orphans come to.
            let host = ChildEngineHost(record: folder.file("engine"), clocks: LinuxClocks())
            async let reaped: Void = reapOrphan()
            await #expect(processExitsWith: .signal(SIGKILL)) { [path = folder.path as String] in
                _ = try EngineSpawn.start(echo(in: path)) { main in
                    try? LinuxFileStore().writeForThisBoot(Array("\(main.pid)".utf8), to: "\(path)/pid", mode: 0o600)
                    kill(getpid(), SIGKILL)
                }
            }
            await reaped
            #expect(folder.text(of: "vllm.log") == "")
            #expect(await host.removeLeftovers().isEmpty)
        }

        @Test("The record is there before the engine's program is executed, and gone where that fails")
        func recordFirst() async throws {
            let host = ChildEngineHost(record: folder.file("engine"), clocks: LinuxClocks())
            var launch = echo(in: folder.path)
            launch.arguments = ["-c", "cat \(folder.file("engine")); exit 0"]
            for await _ in host.run(launch) {}
            let fields = try #require(folder.text(of: "vllm.log")).split(separator: " ")
            #expect(fields.count == 3 && fields[1] != "0")
            launch.executable = "/nowhere/vllm"
            for await _ in host.run(launch) {}
            #expect(folder.text(of: "engine") == nil)
        }

        /// At once: while a zombie waits that is not its own, swift-testing does not see the exit that it waits for.
        private func reapOrphan() async {
            while true {
                if let pid = folder.text(of: "pid").flatMap(Int32.init), waitpid(pid, nil, WNOHANG) == pid { return }
                await Task.yield()
            }
        }

        /// The main process and its worker, running, their agent gone.
        private func abandonedEngine() async throws -> [Int32] {
            await #expect(processExitsWith: .success) { [path = folder.path as String] in
                await abandonEngine(in: path)
            }
            let log = try #require(folder.text(of: "vllm.log"))
            let pids = log.split(separator: "\n").compactMap { Int32($0.split(separator: "=").last ?? "") }
            try #require(pids.count == 2 && pids.allSatisfy(isRunning))
            return pids
        }
    }
}

private func echo(in path: String) -> EngineLaunch {
    EngineLaunch(
        executable: "/bin/bash", arguments: ["-c", "echo executed"],
        environment: [EnvironmentVariable("PATH", "/usr/bin:/bin")], logPath: "\(path)/vllm.log",
        workingDirectory: path)
}

/// Runs as an agent that starts an engine and dies without a word.
private func abandonEngine(in path: String) async {
    let host = ChildEngineHost(record: "\(path)/engine", clocks: LinuxClocks())
    let launch = EngineLaunch(
        executable: "/bin/bash",
        arguments: ["-c", "echo main=$$; bash -c 'trap \"\" TERM; echo worker=$$; sleep 1000; :' & wait"],
        environment: [EnvironmentVariable("PATH", "/usr/bin:/bin")], logPath: "\(path)/vllm.log",
        workingDirectory: path)
    guard let log = try? InotifyLogSource().follow(launch.logPath) else { exit(2) }
    var events = host.run(launch).makeAsyncIterator()
    guard case .started = await events.next() else { exit(3) }
    var text = ""
    while let chunk = await log.next() {
        text += String(decoding: chunk, as: UTF8.self)
        if text.contains("worker="), text.hasSuffix("\n") { break }
    }
    exit(0)
}

/// Whether a process with this pid runs; a zombie does not.
private func isRunning(_ pid: Int32) -> Bool {
    let stat = contents("/proc/\(pid)/stat")
    guard let close = stat.lastIndex(of: ")") else { return false }
    return !stat[close...].hasPrefix(") Z")
}
