internal import AgentCore
internal import AgentSystem
internal import AgentTestKit
internal import Glibc
internal import Testing

extension EngineHostSuite {
    @Suite struct EngineSpawnTests {
        let engine = EngineUnderTest()

        @Test("The engine gets exactly the environment of its launch")
        func environment() async throws {
            var launch = engine.launch("/usr/bin/env", [])
            launch.environment = [
                EnvironmentVariable("AWS_SECRET_ACCESS_KEY", Secret("a=b \"c\"")), EnvironmentVariable("EMPTY", ""),
            ]
            _ = try await engine.start(launch)
            #expect(await engine.exit() == .exited(code: 0))
            #expect(await engine.isGone())
            #expect(engine.folder.text(of: "vllm.log") == "AWS_SECRET_ACCESS_KEY=a=b \"c\"\nEMPTY=\n")
        }

        @Test("The engine inherits no descriptor, no signal mask and no signal disposition")
        func inheritance() async throws {
            // Deliberately not close-on-exec.
            let leak = open("/dev/null", O_RDONLY)
            let ignored = [SIGUSR1, SIGPIPE, 40]
            let before = ignored.map { signal($0, SIG_IGN) }
            defer {
                close(leak)
                for (number, handler) in zip(ignored, before) { signal(number, handler) }
            }
            let pid = try await engine.start(engine.launch("/bin/sh", ["-c", "echo ready=1; kill -STOP $$"]))
            // Past the dynamic loader, which opens libraries.
            _ = await engine.number("ready")
            #expect(links(of: pid) == ["0": "/dev/null", "1": engine.logPath, "2": engine.logPath])
            let status = contents("/proc/\(pid)/status")
            for field in ["SigBlk", "SigIgn"] {
                #expect(status.contains("\(field):\t0000000000000000\n"), "\(field) is not empty")
            }
            #expect(getsid(pid) == pid)
            #expect(link("/proc/\(pid)/cwd") == engine.folder.path)
            engine.host.killAll()
            _ = await engine.exit()
            #expect(await engine.isGone())
        }

        @Test("The log is appended to, and made readable for people when it is new")
        func log() async throws {
            for _ in 0..<2 {
                _ = try await engine.start(script: "echo out; echo err >&2")
                _ = await engine.exit()
                #expect(await engine.isGone())
            }
            #expect(engine.folder.text(of: "vllm.log") == "out\nerr\nout\nerr\n")
        }

        @Test(
            "A program that cannot be executed is named, with what to do",
            arguments: [
                ("missing", "install vLLM"), ("not-executable", "make it an executable file"),
                ("stale-venv", "/nowhere/bin/python3"), ("garbage", "not a program"), ("folder", "executable file"),
                ("dangling", "does not exist"),
            ])
        func missing(name: String, advice: String) async throws {
            let folder = engine.folder
            folder.write("#!/bin/sh\n", to: "not-executable")
            folder.write("#!/nowhere/bin/python3\nimport vllm\n", to: "stale-venv", mode: 0o755)
            folder.write("\u{1}\u{2}\u{3}", to: "garbage", mode: 0o755)
            mkdir(folder.file("folder"), 0o755)
            symlink("/nowhere/vllm", folder.file("dangling"))
            let failure = await startFailure(engine.launch(folder.file(name), ["serve"]))
            #expect(failure?.failure == .engineMissing)
            #expect(failure?.message.contains(folder.file(name)) == true)
            #expect(failure?.message.contains(advice) == true, "\(failure?.message ?? "started")")
        }

        @Test("What cannot be handed over whole is refused, not cut")
        func nulBytes() async throws {
            let argument = await startFailure(engine.launch("/bin/true", ["--model\0x"]))
            #expect(argument?.failure == .badFlag)
            var launch = engine.launch("/bin/true", [])
            launch.environment = [EnvironmentVariable("KEY", Secret("top\0secret"))]
            let variable = await startFailure(launch)
            #expect(variable?.failure == .badFlag)
            #expect(variable?.message.contains("top") == false)
            launch.environment = [EnvironmentVariable("A=B", "c")]
            #expect(await startFailure(launch)?.failure == .badFlag)
            #expect(await startFailure(engine.launch("vllm", []))?.failure == .engineMissing)
        }

        @Test("A missing working directory is named")
        func workingDirectory() async throws {
            var launch = engine.launch("/bin/true", [])
            launch.workingDirectory = engine.folder.file("nowhere")
            let failure = await startFailure(launch)
            #expect(failure?.failure == .localStorage)
            #expect(failure?.message.contains(launch.workingDirectory) == true)
        }

        @Test("A log that is no regular file of ours is refused before anything is executed")
        func refusedLogs() async throws {
            let folder = engine.folder
            folder.write("precious", to: "target")
            symlink(folder.file("target"), folder.file("link"))
            mkdir(folder.file("folder"), 0o755)
            mkfifo(folder.file("fifo"), 0o600)
            link(folder.file("target"), folder.file("second-name"))
            for (name, word) in [
                ("link", "a symbolic link"), ("folder", "a directory"), ("fifo", "a FIFO"), ("second-name", "2 names"),
                ("nowhere/vllm.log", "No such file"),
            ] {
                let failure = await logFailure(name)
                #expect(failure?.failure == .engineLog)
                #expect(failure?.message.contains(word) == true, "\(name): \(failure?.message ?? "started")")
            }
            // A FIFO that has a reader opens, and is refused all the same.
            let reader = open(folder.file("fifo"), O_RDONLY | O_NONBLOCK | O_CLOEXEC)
            #expect(await logFailure("fifo")?.message.contains("a FIFO") == true)
            close(reader)
            #expect(folder.text(of: "target") == "precious")
        }

        @Test("A log that belongs to another user is refused", .enabled(if: geteuid() == 0, "only root can make one"))
        func foreignLog() async throws {
            engine.folder.write("", to: "theirs")
            chown(engine.folder.file("theirs"), 12345, 12345)
            let failure = await logFailure("theirs")
            #expect(failure?.failure == .engineLog)
            #expect(failure?.message.contains("12345") == true)
        }

        private func logFailure(_ name: String) async -> EngineStartFailure? {
            var launch = engine.launch("/bin/sh", ["-c", "echo overwritten"])
            launch.logPath = engine.folder.file(name)
            return await startFailure(launch)
        }

        private func startFailure(_ launch: EngineLaunch) async -> EngineStartFailure? {
            var events = engine.host.run(launch).makeAsyncIterator()
            guard case .startFailed(let failure, _) = await events.next() else { return nil }
            #expect(await events.next() == nil)
            return failure
        }
    }
}

/// Descriptors of a process and what they lead to.
func links(of pid: Int32) -> [String: String] {
    guard let stream = opendir("/proc/\(pid)/fd") else { return [:] }
    defer { closedir(stream) }
    var links: [String: String] = [:]
    while let entry = readdir(stream) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
            pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
        }
        if name != ".", name != "..", Int32(name) != dirfd(stream) { links[name] = link("/proc/\(pid)/fd/\(name)") }
    }
    return links
}

func link(_ path: String) -> String {
    var buffer = [CChar](repeating: 0, count: Int(PATH_MAX))
    let length = readlink(path, &buffer, buffer.count)
    return String(decoding: buffer.prefix(max(0, length)).map(UInt8.init(bitPattern:)), as: UTF8.self)
}

func contents(_ path: String) -> String {
    ((try? LinuxFileStore().read(path, limit: 1 << 16)) ?? nil).map { String(decoding: $0, as: UTF8.self) } ?? ""
}
