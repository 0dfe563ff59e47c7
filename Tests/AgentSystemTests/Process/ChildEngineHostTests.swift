internal import AgentCore
internal import AgentSystem
internal import AgentTestKit
internal import Glibc
internal import Testing

/// Everything that starts engines, one at a time: a host takes every orphan of this process for its engine's.
@Suite(.serialized, .timeLimit(.minutes(2)))
enum EngineHostSuite {}

extension EngineHostSuite {
    @Suite struct ChildEngineHostTests {
        let engine = EngineUnderTest()

        @Test("An engine's exit code is reported, and then that it is gone")
        func exitCode() async throws {
            let before = LinuxClocks().now()
            let pid = try await engine.start(script: "exit 7")
            guard case .exited(let exit, let time) = await engine.event() else {
                Issue.record("no exit was reported")
                return
            }
            #expect(exit == .exited(code: 7))
            #expect(before < time)
            #expect(await engine.isGone())
            #expect(!exists(pid))
        }

        @Test("The signal that ended an engine is reported")
        func signal() async throws {
            _ = try await engine.start(script: "kill -SEGV $$")
            guard case .signalled(SIGSEGV, _) = await engine.exit() else {
                Issue.record("the signal was not reported")
                return
            }
            #expect(await engine.isGone())
        }

        @Test("Workers that outlive a killed main process and ignore SIGTERM are left alone until killAll")
        func sessionKill() async throws {
            let main = try await engine.start(
                script: """
                    bash -c 'trap "" TERM; (trap "" TERM; echo grandchild=$BASHPID; exec sleep 1000) & echo child=$$; wait' &
                    sleep 1000
                    """)
            let workers = [await engine.number("child"), await engine.number("grandchild")]
            kill(main, SIGKILL)
            #expect(await engine.exit() == .signalled(signal: SIGKILL, coreDumped: false))
            for worker in workers { kill(worker, SIGTERM) }
            let left = engine.host.observe().map(\.pid)
            #expect(Set(left).isSuperset(of: workers))
            #expect(!left.contains(main))

            engine.host.killAll()
            #expect(await engine.isGone())
            for worker in workers + left { #expect(!exists(worker)) }
            #expect(engine.host.observe().isEmpty)
        }

        @Test("killAll ends an engine whose main process still runs")
        func killWhileRunning() async throws {
            _ = try await engine.start(script: "sleep 1000 & sleep 1000 & echo ready=1; wait")
            _ = await engine.number("ready")
            engine.host.killAll()
            #expect(await engine.exit() == .signalled(signal: SIGKILL, coreDumped: false))
            #expect(await engine.isGone())
        }

        @Test("SIGTERM reaches the main process and no worker")
        func terminateMain() async throws {
            _ = try await engine.start(
                script: """
                    trap "exit 3" TERM
                    bash -c 'trap "echo worker-was-told=1" TERM; echo worker=$$; while :; do sleep 1000; done' &
                    wait
                    """)
            let worker = await engine.number("worker")
            engine.host.terminateMain()
            #expect(await engine.exit() == .exited(code: 3))
            #expect(exists(worker))
            engine.host.killAll()
            #expect(await engine.isGone())
            #expect(engine.folder.text(of: "vllm.log")?.contains("worker-was-told") == false)
        }

        @Test("When the last worker ends by itself the engine is gone without a kill")
        func goneByItself() async throws {
            mkfifo(engine.folder.file("fifo"), 0o600)
            _ = try await engine.start(script: "(read < fifo; exit 0) & echo main=$$; exit 0")
            #expect(await engine.exit() == .exited(code: 0))
            #expect(!engine.host.observe().isEmpty)
            engine.folder.append(Array("now\n".utf8), to: "fifo")
            #expect(await engine.isGone())
        }

        @Test("A worker that left the session and lost its parent is found and killed")
        func escape() async throws {
            _ = try await engine.start(
                script: "(setsid bash -c 'echo escaped=$$; exec sleep 1000' &); sleep 1000")
            let escaped = await engine.number("escaped")
            #expect(engine.host.observe().map(\.pid).contains(escaped))
            engine.host.killAll()
            #expect(await engine.exit() == .signalled(signal: SIGKILL, coreDumped: false))
            #expect(await engine.isGone())
            #expect(!exists(escaped))
        }

        @Test("An engine that forks as fast as it can is gone after killAll")
        func forkStorm() async throws {
            _ = try await engine.start(
                script: """
                    storm() { while :; do (setsid sleep 1 &) ; (sleep 1 &) ; echo storm=1; done; }
                    storm & storm & storm
                    """)
            _ = await engine.number("storm")
            engine.host.killAll()
            #expect(await engine.exit() == .signalled(signal: SIGKILL, coreDumped: false))
            #expect(await engine.isGone())
        }

        @Test("Orphans that end while the engine runs do not stay zombies")
        func orphans() async throws {
            _ = try await engine.start(
                script: "for i in $(seq 50); do (true &); done; (echo last=$BASHPID &); wait; sleep 1000")
            let last = await engine.number("last")
            while exists(last) {
                _ = engine.host.observe()
                await Task.yield()
            }
            engine.host.killAll()
            _ = await engine.exit()
            #expect(await engine.isGone())
        }

        @Test("Processes carry the title they gave themselves, their CPU time and their memory")
        func titles() async throws {
            mkfifo(engine.folder.file("fifo"), 0o600)
            let main = try await engine.start(
                script: """
                    (i=0; while ((i < 300000)); do ((i++)); done; exec -a VLLM::EngineCore bash -c 'echo core=$$; read <> fifo') &
                    wait
                    """)
            let core = await engine.number("core")
            let process = try #require(engine.host.observe().first { $0.pid == core })
            #expect(process.title == "VLLM::EngineCore")
            #expect(process.parent == main)
            #expect(process.cpuTicks > 0)
            #expect(process.residentBytes > 1 << 20)
            engine.host.killAll()
            _ = await engine.exit()
            #expect(await engine.isGone())
        }

        @Test("The end of a worker that was seen is told, with the title it had last, while the main process runs")
        func workerEnds() async throws {
            mkfifo(engine.folder.file("fifo"), 0o600)
            _ = try await engine.start(
                script: """
                    (echo early=$BASHPID; read < fifo; exec -a VLLM::EngineCore bash -c \
                    'printf VLLM::EngineCor > /proc/self/comm; echo core=$$; read <> fifo') &
                    wait; sleep 1000
                    """)
            let core = await engine.number("early")
            #expect(engine.host.observe().contains { $0.pid == core })
            engine.folder.append(Array("now\n".utf8), to: "fifo")
            #expect(await engine.number("core") == core)
            #expect(engine.host.observe().contains { $0.title == "VLLM::EngineCore" })
            kill(core, SIGKILL)
            let ended = await engine.endedProcess()
            #expect(ended?.pid == core)
            #expect(ended?.title == "VLLM::EngineCore")
            engine.host.killAll()
            _ = await engine.exit()
            #expect(await engine.isGone())
        }

        @Test("A second engine is refused while the first has not gone, and started once it has")
        func oneAtATime() async throws {
            _ = try await engine.start(script: "sleep 1000")
            var refused = engine.host.run(engine.launch("/bin/true", [])).makeAsyncIterator()
            guard case .startFailed = await refused.next() else {
                Issue.record("two engines were started")
                return
            }
            #expect(await refused.next() == nil)
            engine.host.killAll()
            _ = await engine.exit()
            #expect(await engine.isGone())
            _ = try await engine.start(script: "exit 0")
            #expect(await engine.exit() == .exited(code: 0))
            #expect(await engine.isGone())
        }
    }
}
