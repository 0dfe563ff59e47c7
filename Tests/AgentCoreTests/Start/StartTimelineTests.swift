internal import AgentTestKit
internal import Testing

@testable internal import AgentCore

@Suite("A start is accounted for")
struct StartTimelineTests {
    @Test("Whatever the signs and their order, spans do not overlap, and with the rest they are the whole")
    func property() {
        for seed in 0..<3000 as Range<UInt64> {
            var random = SeededGenerator(seed: seed)
            var start = StartTimeline(hasClock: seed % 3 != 0)
            var now: Int64 = 1_000_000_000_000
            for _ in 0..<Int.random(in: 1...40, using: &random) {
                // Clocks of several processes disagree, and signs come late.
                now += Int64.random(in: -2_000_000_000...9_000_000_000, using: &random)
                start.note(Self.sign(&random), at: BootInstant(nanoseconds: now))
            }
            let later = Bool.random(using: &random) ? BootInstant(nanoseconds: now + 5_000_000_000) : nil
            expectWhole(start.account(at: later), seed)
        }
    }

    private func expectWhole(_ account: StartAccount, _ seed: UInt64) {
        guard let begin = account.begin, let end = account.end else { return }
        var edge = begin
        var sum: Int64 = 0
        for span in account.spans {
            #expect(span.start >= edge && span.end >= span.start && span.end <= end, "seed \(seed)")
            edge = span.end
            sum += (span.end - span.start).inNanoseconds
        }
        let rest = (account.unattributed * 1e9).rounded()
        #expect(rest >= 0, "seed \(seed)")
        #expect(abs(Double(sum) + rest - account.total * 1e9) < 10, "seed \(seed)")
    }

    private static func sign(_ random: inout SeededGenerator) -> StartSign {
        signs.randomElement(using: &random) ?? .executed
    }

    private static let signs: [StartSign] =
        [
            .preparing, .prepared, .executed, .spoke, .engineCoreSeen, .workerSeen, .portListening, .healthy,
            .received(bytes: 7, by: .network), .received(bytes: 9, by: .engineSockets), .ended,
        ]
        + facts.map { .log($0) }

    private static let facts: [LogFact] = [
        .version("0.32.0"), .configResolved(architecture: nil), .engineProcessStarted(pid: 7),
        .engineCoreInitialising(version: "0.32.0"), .workerInitialising, .workerInitialised(rank: 0, worldSize: 2),
        .modelLoadStarted, .modelInitialised(seconds: 0.1), .weightsProgress(done: 0, total: 9, unit: nil),
        .weightsProgress(done: 9, total: 9, unit: .tensors), .streamed(bytes: 1e9, seconds: 3, bytesPerSecond: 3e8),
        .weightsLoaded(seconds: 4), .modelLoaded(gib: 3, seconds: 5), .warmupStarted, .warmupFinished(seconds: nil),
        .compileStarted, .bytecodeTransformed(seconds: 6), .compileCacheMiss, .compiled(seconds: 20),
        .memoryProfiled(seconds: 1e300), .kvCache(tokens: 1, maxConcurrency: nil), .graphCaptureStarted,
        .graphCaptured(seconds: 3), .engineInitialised(seconds: 1e18), .engineInitialised(seconds: 12),
        .serverStarting(url: "http://x"), .startupComplete, .processDied("Killed"),
        .exception(LogException(type: "ValueError", message: "", process: nil)),
    ]
}

@Suite("Phases begin and end with signs of their own")
struct PhaseClaimTests {
    @Test("The silent stretches of a start have names")
    func silent() {
        let account = Self.start([
            (0, .preparing), (1, .prepared), (2, .executed), (10, .log(.version("0.32.0"))),
            (12, .log(.maxModelLength(512))), (13, .engineCoreSeen),
            (20, .log(.engineCoreInitialising(version: "0.32.0"))), (21, .workerSeen), (27, .log(.modelLoadStarted)),
            (28, .log(.modelInitialised(seconds: 1))), (33, .log(.weightsProgress(done: 5, total: 5, unit: nil))),
            (36, .log(.engineInitialised(seconds: 2))), (38, .log(.startupComplete)), (39, .healthy), (40, .firstToken),
        ]).account()
        #expect(
            Self.seconds(account) == [
                "preflight_done 1.0", "engine_exec 1.0", "engine_import 8.0", "engine_config 2.0",
                "engine_core_spawn 8.0", "worker_spawn 7.0", "model_init 1.0", "weights_stream 5.0", "weights_done 1.0",
                "kv_profile 2.0", "server_listening 2.0", "health_ok 1.0", "first_token 1.0",
            ])
        #expect(account.unattributed == 0)
        #expect(account.spans.first { $0.phase == .engineImport }?.startSource == .process)
        #expect(account.spans.first { $0.phase == .healthOK }?.endSource == .probe)
    }

    @Test("Where a sign is missing, the time is nobody's")
    func missing() {
        // Nothing tells where the spawn of the core ends and that of the workers begins.
        let account = Self.start([
            (0, .executed), (5, .log(.version("0.32.0"))), (6, .log(.maxModelLength(512))),
            (30, .log(.modelLoadStarted)), (31, .log(.modelInitialised(seconds: 1))),
        ]).account()
        #expect(
            Self.seconds(account) == [
                "engine_import 5.0", "engine_config 1.0", "model_init 1.0", "weights_stream 0.0",
            ])
        #expect(account.unattributed == 24)
    }

    @Test("Processes stand in where the log says nothing")
    func processes() {
        let account = Self.start([
            (0, .executed), (5, .log(.version("0.9.0"))), (7, .engineCoreSeen), (15, .workerSeen),
            (20, .log(.modelLoadStarted)), (21, .log(.modelInitialised(seconds: 1))),
        ]).account()
        #expect(
            Self.seconds(account) == [
                "engine_import 5.0", "engine_config 2.0", "engine_core_spawn 8.0", "worker_spawn 5.0", "model_init 1.0",
                "weights_stream 0.0",
            ])
    }

    @Test("Of ranks that say the same the first begins a phase and the last ends it")
    func ranks() {
        let account = Self.start([
            (0, .log(.engineCoreInitialising(version: "0.12.0"))), (4, .log(.modelLoadStarted)),
            (5, .log(.modelLoadStarted)), (6, .log(.weightsProgress(done: 0, total: 9, unit: nil))),
            (16, .log(.weightsProgress(done: 9, total: 9, unit: nil))), (17, .log(.modelLoaded(gib: 3, seconds: 13))),
            (19, .log(.modelLoaded(gib: 3, seconds: 14))), (30, .log(.engineInitialised(seconds: 11))),
            (31, .log(.startupComplete)),
        ]).account()
        #expect(
            Self.seconds(account) == [
                "worker_spawn 4.0", "model_init 2.0", "weights_stream 10.0", "weights_done 3.0", "kv_profile 11.0",
                "server_listening 1.0",
            ])
    }

    @Test("Compilation and capture interrupt the profiling; stated durations tell where they began")
    func initialisation() {
        let account = Self.start([
            (0, .log(.weightsProgress(done: 0, total: 9, unit: nil))),
            (10, .log(.weightsProgress(done: 9, total: 9, unit: nil))), (11, .log(.modelLoaded(gib: 3, seconds: 11))),
            (20, .log(.bytecodeTransformed(seconds: 8))), (25, .log(.compileCacheHit)),
            (29, .log(.compiled(seconds: 12))), (30, .log(.kvCache(tokens: 1, maxConcurrency: nil))),
            (36, .log(.graphCaptured(seconds: 5))), (37, .log(.engineInitialised(seconds: 26))),
        ]).account(at: BootInstant(nanoseconds: 37_000_000_000))
        #expect(
            Self.seconds(account) == [
                "weights_stream 10.0", "weights_done 1.0", "kv_profile 1.0", "compile 13.0", "kv_profile 6.0",
                "graph_capture 5.0", "kv_profile 1.0", "server_listening 0.0",
            ])
    }

    @Test("A start that goes on is accounted for until now, one that failed until the first word of it")
    func open() {
        var start = Self.start([(0, .executed), (9, .log(.version("0.32.0")))])
        #expect(Self.seconds(start.account(at: Self.at(12))) == ["engine_import 9.0", "engine_config 3.0"])
        #expect(start.account(at: Self.at(12)).current == .engineConfig)
        let error = LogFact.exception(LogException(type: "ValueError", message: "no", process: nil))
        start.note(.log(error), at: Self.at(14))
        start.note(.ended, at: Self.at(20))
        #expect(Self.seconds(start.account(at: Self.at(30))) == ["engine_import 9.0", "engine_config 5.0"])
    }

    @Test("An exception that the start went on after ended nothing")
    func overcome() {
        let error = LogFact.exception(LogException(type: "ImportError", message: "optional", process: nil))
        let account = Self.start([
            (0, .executed), (4, .log(error)), (9, .log(.version("0.32.0"))), (10, .log(.maxModelLength(1))),
        ]).account(at: Self.at(11))
        #expect(account.total == 11)
    }

    @Test("Bars and words of a serving engine change nothing")
    func serving() {
        var start = Self.start([
            (0, .executed), (9, .log(.version("0.32.0"))), (20, .log(.startupComplete)), (21, .healthy),
        ])
        start.note(.log(.weightsProgress(done: 1, total: 2, unit: nil)), at: Self.at(22))
        start.note(.firstToken, at: Self.at(23))
        start.note(.log(.modelLoadStarted), at: Self.at(99))
        #expect(start.account(at: Self.at(120)).total == 23)
        #expect(start.load == nil)
    }

    @Test("Bytes of the weights are what came between their first sign and their last")
    func bytes() throws {
        let account = Self.start([
            (0, .executed), (1, .received(bytes: 1000, by: .engineSockets)), (1, .received(bytes: 9999, by: .network)),
            (2, .log(.modelLoadStarted)), (3, .log(.modelInitialised(seconds: 1))),
            (5, .received(bytes: 41000, by: .engineSockets)), (7, .log(.weightsProgress(done: 2, total: 2, unit: nil))),
            (8, .received(bytes: 81000, by: .engineSockets)), (9, .log(.engineInitialised(seconds: 1))),
            (10, .received(bytes: 99000, by: .engineSockets)), (11, .log(.startupComplete)),
        ]).account()
        let span = try #require(account.spans.first { $0.phase == .weightsStream })
        #expect(span.bytes == 80000)
        #expect(span.bytesPerSecond == 20000)
    }

    @Test("What the log states is compared with what its times say")
    func crossChecks() {
        let start = Self.start([
            (0, .log(.modelLoadStarted)), (1, .log(.modelInitialised(seconds: 0.5))),
            (9, .log(.streamed(bytes: 8e9, seconds: 7.5, bytesPerSecond: 1e9))),
            (10, .log(.modelLoaded(gib: 3, seconds: 10))), (14, .log(.engineInitialised(seconds: 4.5))),
        ])
        #expect(
            start.crossChecks == [
                CrossCheck(what: "Initializing model took", stated: 0.5, measured: 1),
                CrossCheck(what: "Overall time to stream", stated: 7.5, measured: 8),
                CrossCheck(what: "Model loading took", stated: 10, measured: 10),
                CrossCheck(what: "init engine took", stated: 4.5, measured: 4),
            ])
    }

    private static func start(_ signs: [(Double, StartSign)]) -> StartTimeline {
        var start = StartTimeline()
        for (second, sign) in signs { start.note(sign, at: at(second)) }
        return start
    }

    private static func at(_ second: Double) -> BootInstant { BootInstant(nanoseconds: Int64(second * 1e9)) }

    private static func seconds(_ account: StartAccount) -> [String] {
        account.spans.map { "\($0.phase.rawValue) \($0.seconds)" }
    }
}
