internal import AgentCore
internal import AgentTestKit
internal import Testing

struct NodeMachineProgressTests {
    private static func vitals(cpu: UInt64, received: UInt64, connections: Int = 2) -> EngineVitals {
        EngineVitals(
            cpuTicks: [100: cpu], diskBytes: 0, logBytes: cpu,
            traffic: EngineTraffic(receivedBytes: received, connections: connections))
    }

    @Test("Bytes are the progress where they are known; the engine's bar may stand still")
    func bytes() {
        var script = MachineScript(MachineScript.loading)
        script.on(.engineMoved(Self.vitals(cpu: 10, received: 500)))
        script.on(.logFact(.streamPlanned(bytes: 1000, files: 4)))
        script.on(.logFact(.weightsProgress(done: 0, total: 75, unit: .tensors)))
        script.on(.engineMoved(Self.vitals(cpu: 20, received: 750)))
        #expect(script.machine.progress?.fraction == 0.25)
        #expect(script.machine.progress?.count?.done == 0)
        #expect(script.machine.progress?.bytes == 250)
        #expect(script.snapshot.status.hasPrefix("loading acme/tiny-llama: weights_stream 25 % (0 MB of 0 MB, 0 MB/s)"))
    }

    @Test("Without a total the bar tells the share, with bytes beside it")
    func noTotal() {
        var script = MachineScript(MachineScript.loading)
        script.on(.engineMoved(Self.vitals(cpu: 10, received: 0)))
        script.on(.logFact(.weightsProgress(done: 30, total: 75, unit: .tensors)))
        script.on(.engineMoved(Self.vitals(cpu: 20, received: 5_000_000)))
        #expect(script.machine.progress?.fraction == 0.4)
        #expect(script.machine.progress?.bytes == 5_000_000)
        #expect(script.snapshot.status == "loading acme/tiny-llama: weights_stream 40 % (30/75 tensors)")
    }

    @Test("Each rank reads its share: the total is that of all of them")
    func tensorParallel() {
        var assignment = Assignment.sample()
        assignment.tensorParallelSize = 4
        var script = MachineScript(
            MachineScript.booted + [
                .assignmentReceived(assignment), .prepared(generation: 1), .engineStarted(pid: 100),
                .logFact(.streamPlanned(bytes: 1000, files: 4)),
            ])
        #expect(script.machine.progress?.totalBytes == 4000)
        script.on(.engineMoved(Self.vitals(cpu: 10, received: 0)))
        script.on(.engineMoved(Self.vitals(cpu: 20, received: 1000)))
        #expect(script.machine.progress?.fraction == 0.25)
    }

    @Test("A start that stands still is ended as stalled, in the phase where it stands, and tried again")
    func stalled() {
        var script = MachineScript(MachineScript.loading)
        script.on(.logFact(.modelLoadStarted))
        let still = Self.vitals(cpu: 10, received: 10)
        var failed: [NodeAction] = []
        for _ in 1...62 where failed.isEmpty { failed = script.on(.engineMoved(still)) }
        #expect(failed.reports == [.failed])
        #expect(failed.contains(.killEngine))
        #expect(script.machine.failure?.failure == .stalled)
        #expect(script.machine.failure?.message.contains("in phase model_init") == true)
        script.on(.engineExited(.signalled(signal: 9, coreDumped: false)))
        #expect(script.on(.engineGone).arms(.backoff) != nil)
    }

    @Test("The store that accepts and never answers is named while the configuration is fetched")
    func stalledStore() {
        var script = MachineScript(MachineScript.loading)
        script.on(.logFact(.nonDefaultArguments("{'model': 's3://models/acme'}")))
        var failed: [NodeAction] = []
        for tick in UInt64(1)...62 where failed.isEmpty {
            failed = script.on(.engineMoved(Self.vitals(cpu: tick * 50, received: 10, connections: 1)))
        }
        #expect(script.machine.failure?.failure == .endpointStalled)
        #expect(failed.contains(.killEngine))
    }

    @Test("An engine that serves may be as quiet as it likes")
    func servingIsNeverStalled() {
        var script = MachineScript(MachineScript.serving)
        for _ in 1...600 { script.on(.engineMoved(Self.vitals(cpu: 10, received: 10))) }
        #expect(script.state == "serving")
    }

    @Test("A start is remembered at READY, by seconds after the exec")
    func remembered() {
        var script = MachineScript(MachineScript.verifying)
        let actions = script.on(.canaryAnswered(took: .milliseconds(30)))
        let record = actions.compactMap { if case .remember(let record) = $0 { record } else { nil } }.first
        #expect(record?.ready == 4)
        #expect(record?.offsets[.healthOK] == 3)
        #expect(record?.offsets[.engineExec] == nil)
    }

    @Test("What earlier starts took is an estimate until the model serves")
    func estimate() {
        let record = StartRecord(offsets: [.engineConfig: 2, .healthOK: 8], ready: 10)
        var script = MachineScript(MachineScript.preparing)
        if let expected = StartExpectation(of: [record]) {
            script.on(.startExpected(generation: 1, expected))
        }
        script.on(.prepared(generation: 1))
        script.on(.engineStarted(pid: 100))
        #expect(script.snapshot.estimate?.seconds == 10)
        #expect(script.snapshot.status == "starting acme/tiny-llama: engine_import, about 10 s left")
        script.on(.logFact(.version("0.32.0")))
        #expect(script.snapshot.estimate?.seconds == 8)
        script.on(.healthAnswered(.healthy))
        script.on(.canaryAnswered(took: .milliseconds(30)))
        #expect(script.snapshot.estimate == nil)
    }

    @Test("An expectation for another generation is not taken")
    func staleExpectation() {
        let record = StartRecord(offsets: [:], ready: 10)
        var script = MachineScript(MachineScript.preparing)
        if let expected = StartExpectation(of: [record]) {
            script.on(.startExpected(generation: 7, expected))
        }
        script.on(.prepared(generation: 1))
        script.on(.engineStarted(pid: 100))
        #expect(script.snapshot.estimate == nil)
    }
}
