internal import AgentCore
internal import AgentTestKit
internal import Testing

@Suite("When an engine is to wait for what comes next")
struct NodeMachineStandbyTests {
    @Test(
        "From the first moment, not while a start has the processor, and again beside an engine that serves",
        arguments: [
            (MachineScript.booted, StandbyWish.parked), (MachineScript.preparing, .parked),
            (MachineScript.starting, .untouched), (MachineScript.loading, .untouched),
            (MachineScript.verifying, .untouched), (MachineScript.serving, .parked), (MachineScript.draining, .none),
            (MachineScript.leaving, .none),
            // Another assignment: its engine follows the one that is being stopped.
            (MachineScript.serving + [.assignmentReceived(.sample(generation: 2))], .parked),
        ])
    func wishes(events: [NodeEvent], wish: StandbyWish) {
        #expect(MachineScript(events).machine.standby == wish)
    }

    @Test("While an engine that failed is being buried, the next one imports already")
    func crash() {
        let script = MachineScript(MachineScript.serving + [.engineExited(.signalled(signal: 9, coreDumped: false))])
        #expect(script.state == "failed")
        #expect(script.machine.standby == .parked)
    }

    @Test("None once the end of the machine has begun")
    func preemption() {
        var script = MachineScript(MachineScript.onAWS + MachineScript.serving)
        script.notice(in: 100)
        #expect(script.machine.standby == .none)
    }

    @Test("How the launcher started the engine is a detail of its first phase; what it could not fork, of the second")
    func details() {
        let script = MachineScript(
            MachineScript.starting + [
                .logFact(.launcher("standby, 3.5 s after it parked")), .logFact(.version("0.32.0")),
                .logFact(.maxModelLength(512)), .logFact(.launcher("EngineCore: spawned, because CUDA is initialised")),
                .logFact(.engineCoreInitialising(version: "0.32.0")),
            ])
        let spans = script.machine.shown.account.spans
        #expect(spans.first { $0.phase == .engineImport }?.detail == "standby, 3.5 s after it parked")
        let spawned = spans.first { $0.phase == .engineCoreSpawn }?.detail
        #expect(spawned == "EngineCore: spawned, because CUDA is initialised")
    }

    @Test("Why the engine that waited does not serve stays beside how it was started instead")
    func refusal() {
        let script = MachineScript(
            MachineScript.starting + [
                .logFact(.launcher("not standby, because VLLM_X differs from what was set when it parked")),
                .logFact(.launcher("preload, 5 modules")), .logFact(.version("0.32.0")),
            ])
        let detail = script.machine.shown.account.spans.first { $0.phase == .engineImport }?.detail
        #expect(
            detail == "preload, 5 modules, not standby, because VLLM_X differs from what was set when it parked")
    }

    @Test("A checkpoint that a start goes on from is told with it, and one that does not fit with the reason")
    func checkpoint() {
        let restored = "standby restored from a checkpoint"
        let unfit = "not restored, because the kernel is another one"
        let (refused, preload) = ("not standby, because x", "preload, 5 modules")
        for (lines, expected) in [
            (["\(restored), 0.5 s after it parked"], "\(restored), 0.5 s after it parked"),
            (["preload restored from a checkpoint, 5 modules"], "preload restored from a checkpoint, 5 modules"),
            ([unfit, "standby, 3.5 s after it parked"], "standby, 3.5 s after it parked, \(unfit)"),
            ([refused, unfit, preload], "\(preload), \(refused), \(unfit)"),
        ] {
            let facts = lines.map { NodeEvent.logFact(.launcher($0)) } + [.logFact(.version("0.32.0"))]
            let spans = MachineScript(MachineScript.starting + facts).machine.shown.account.spans
            #expect(spans.first { $0.phase == .engineImport }?.detail == expected)
        }
    }

    @Test("The launcher's lines are understood, and nobody's that only quotes them")
    func lines() {
        var reader = EngineLogReader()
        let log = "crosslogic-launcher: plain, because ImportError: no vllm\nhe said crosslogic-launcher: standby, x\n"
        #expect(reader.feed(Array(log.utf8)) == [.launcher("plain, because ImportError: no vllm")])
    }
}
