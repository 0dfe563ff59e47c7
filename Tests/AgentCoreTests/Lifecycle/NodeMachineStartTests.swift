internal import AgentCore
internal import AgentTestKit
internal import Testing

/// Events are a second apart.
@Suite("The machine accounts for the time of a start")
struct NodeMachineStartTests {
    private func account(_ script: MachineScript) -> StartAccount {
        let versions = NodeSnapshot.Versions(agent: "test")
        return script.machine.snapshot(nodeID: "n", port: 1, versions: versions, at: script.now + .seconds(10)).account
    }

    private func phases(_ account: StartAccount) -> [String] {
        account.spans.map { "\($0.phase.rawValue) \(Int($0.seconds))" }
    }

    private static let configured = MachineScript.loading + [.logFact(.maxModelLength(512))]

    @Test("From the preparation to the first token, and no further")
    func whole() {
        let loaded: [NodeEvent] = [
            .engineProcessesSeen([.named("VLLM::EngineCore", pid: 101)]),
            .logFact(.engineCoreInitialising(version: "0.32.0")), .logFact(.modelLoadStarted),
            .engineMoved(.receiving(100)), .logFact(.modelInitialised(seconds: 1)), .engineMoved(.receiving(700)),
            .logFact(.weightsProgress(done: 5, total: 5, unit: .tensors)), .logFact(.engineInitialised(seconds: 0)),
            .logFact(.startupComplete), .healthAnswered(.healthy), .canaryAnswered(took: .milliseconds(9)),
        ]
        let account = account(MachineScript(Self.configured + loaded + [.readyAcknowledged]))
        #expect(
            phases(account) == [
                "preflight_done 1", "engine_exec 1", "engine_import 1", "engine_config 1", "engine_core_spawn 2",
                "worker_spawn 1", "model_init 2", "weights_stream 2", "weights_done 1", "kv_profile 0",
                "server_listening 1", "health_ok 1", "first_token 1",
            ])
        #expect(account.unattributed == 0)
        #expect(account.spans.first { $0.phase == .weightsStream }?.bytes == 600)
    }

    @Test("A start that goes on is accounted for until now, one that failed until its end")
    func open() {
        var script = MachineScript(Self.configured)
        #expect(phases(account(script)).last == "engine_core_spawn 10")
        #expect(account(script).current == .engineCoreSpawn)
        script.on(.engineExited(.exited(code: 1)))
        #expect(phases(account(script)).last == "engine_core_spawn 1")
    }

    @Test("What is tried again begins anew")
    func again() {
        var script = MachineScript(Self.configured + [.engineExited(.exited(code: 1)), .engineGone])
        script.on(.failureExplained(FailureReport(.engineDied, message: "died")))
        #expect(phases(account(script)).count == 5)
        script.on(.timerFired(.backoff))
        #expect(phases(account(script)) == ["preflight_done 10"])
    }
}

extension EngineVitals {
    fileprivate static func receiving(_ bytes: UInt64) -> EngineVitals {
        EngineVitals(
            cpuTicks: [:], diskBytes: 0, logBytes: 0, traffic: EngineTraffic(receivedBytes: bytes, connections: 1))
    }
}
