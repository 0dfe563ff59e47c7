internal import AgentCore
internal import AgentTestKit
internal import Testing

@testable internal import AgentRuntime

@Suite(.timeLimit(.minutes(1))) struct EngineLogPumpTests {
    private let ready = "INFO:     Application startup complete.\n"
    private let version = "INFO 11-21 18:00:00 [a.py:1] vLLM API server version 0.11.0\n"
    private let capture = "\rCapturing CUDA graphs (decode, FULL):"

    /// Runs the pump until `body` is done; what it sent is asked for one by one.
    private func pump(
        _ log: ScriptedEngineLog, keeper: LogCheckpointKeeper? = nil,
        _ body: (inout AsyncStream<Inbox.Arrival>.Iterator) async -> Void
    ) async {
        let (inbox, arrivals) = Inbox.make(clocks: SteppingClocks())
        let pump = EngineLogPump(log, keeper: keeper)
        var iterator = arrivals.makeAsyncIterator()
        await withDiscardingTaskGroup { group in
            group.addTask { await pump.run(inbox) }
            await body(&iterator)
            log.finish()
        }
    }

    private func fact(_ arrivals: inout AsyncStream<Inbox.Arrival>.Iterator) async -> LogFact? {
        guard case .event(.logFact(let fact)) = await arrivals.next(isolation: nil)?.matter else { return nil }
        return fact
    }

    @Test("A bar without a newline is told as it stands, at once and once")
    func unfinishedBar() async {
        let log = ScriptedEngineLog()
        await pump(log) { arrivals in
            log.say(version)
            #expect(await fact(&arrivals) == .version("0.11.0"))
            log.say(capture + "   0%|          | 0/67 [00:00<?, ?it/s]")
            #expect(await fact(&arrivals) == .graphCaptureStarted)
            log.say(capture + "  12%|█▏        | 8/67 [00:01<00:05, 10.81it/s]")
            #expect(await fact(&arrivals) == .graphCaptureProgress(done: 8, total: 67))
            log.say(capture + "  12%|█▏        | 8/67 [00:02<00:05, 10.81it/s]")
            log.say("\n" + ready)
            #expect(await fact(&arrivals) == .startupComplete)
        }
    }

    @Test("Whoever catches up hears of everything that was in the log first")
    func catchUp() async {
        let log = ScriptedEngineLog()
        log.say(version)
        let (inbox, arrivals) = Inbox.make(clocks: SteppingClocks())
        let pump = EngineLogPump(log)
        var iterator = arrivals.makeAsyncIterator()
        await withDiscardingTaskGroup { group in
            group.addTask {
                await pump.catchUp()
                inbox.send(.healthAnswered(.healthy))
            }
            group.addTask { await pump.run(inbox) }
            #expect(await fact(&iterator) == .version("0.11.0"))
            guard case .event(.healthAnswered) = await iterator.next(isolation: nil)?.matter else {
                Issue.record("the answer is next")
                return
            }
            log.finish()
        }
    }

    @Test("What is replayed is told once more, for what is built from it, and does not count as read")
    func replay() async {
        let files = InMemoryFileStore()
        let keeper = LogCheckpointKeeper("/run/log.json", files: files, log: CollectingLog())
        let log = ScriptedEngineLog(replaying: [version, "Traceback (most recent call last):\n"])
        await pump(log, keeper: keeper) { arrivals in
            #expect(await fact(&arrivals) == .version("0.11.0"))
            log.say(version + ready)
            #expect(await fact(&arrivals) == .startupComplete)
        }
        #expect(await keeper.load() == .sample(offset: Int64((version + ready).utf8.count)))
    }

    @Test("The checkpoint stands behind the last whole line, and is on disk when the pump has ended")
    func checkpoints() async {
        let files = InMemoryFileStore()
        let keeper = LogCheckpointKeeper("/run/log.json", files: files, log: CollectingLog())
        let log = ScriptedEngineLog()
        await pump(log, keeper: keeper) { arrivals in
            log.say(version)
            #expect(await fact(&arrivals) != nil)
            log.say(ready + "unfinished")
            #expect(await fact(&arrivals) == .startupComplete)
        }
        let saved = await keeper.load()
        #expect(saved == .sample(offset: Int64((version + ready).utf8.count)))
        #expect(files.mode("/run/log.json") == 0o600)
    }

    @Test("The first line is on disk at once; what follows waits for the pause, however much it is")
    func pace() async throws {
        let files = InMemoryFileStore()
        let keeper = LogCheckpointKeeper(
            "/run/log.json", files: files, log: CollectingLog(), pause: .seconds(3600))
        var writes = files.writes.makeAsyncIterator()
        let log = ScriptedEngineLog()
        await pump(log, keeper: keeper) { _ in
            log.say("line\n")
            #expect(await writes.next(isolation: nil) == "/run/log.json")
            for _ in 0..<1000 { log.say("line\n") }
        }
        try files.writeAtomically([], to: "/end", mode: 0o600)
        #expect(await writes.next(isolation: nil) == "/run/log.json")
        #expect(await writes.next(isolation: nil) == "/end")
        #expect(await keeper.load() == .sample(offset: 5005))
    }

    @Test("A full disk is told once, and does not stop the log")
    func fullDisk() async {
        let files = InMemoryFileStore()
        let told = CollectingLog()
        let keeper = LogCheckpointKeeper("/run/log.json", files: files, log: told)
        let log = ScriptedEngineLog()
        files.setFull(true)
        keeper.understood(5)
        await keeper.save(log)
        keeper.understood(6)
        await keeper.save(log)
        #expect(told.lines.count == 1)
        #expect(await keeper.load() == nil)
        files.setFull(false)
        await keeper.save(log)
        #expect(await keeper.load() == .sample(offset: 6))
        #expect(told.lines.count == 2)
    }

    @Test("A checkpoint that was forgotten, or never written, is none")
    func forgotten() async {
        let files = InMemoryFileStore()
        let keeper = LogCheckpointKeeper("/run/log.json", files: files, log: CollectingLog())
        #expect(await keeper.load() == nil)
        keeper.understood(5)
        await keeper.save(ScriptedEngineLog())
        #expect(await keeper.load() != nil)
        await keeper.forget()
        #expect(await keeper.load() == nil)
    }
}
