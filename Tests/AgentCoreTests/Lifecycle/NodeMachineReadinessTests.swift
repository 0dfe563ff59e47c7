internal import AgentCore
internal import AgentTestKit
internal import Testing

@Suite struct NodeMachineReadinessTests {
    @Test("An assignment is prepared, then the engine is started")
    func assignmentLeadsToStart() {
        var script = MachineScript(MachineScript.booted)
        #expect(script.on(.assignmentReceived(.sample())).contains(.prepare(.sample())))
        #expect(script.state == "preparing")
        #expect(script.on(.prepared(generation: 1)) == [.startEngine(generation: 1)])
        #expect(script.state == "starting")
    }

    @Test("READY comes after the first token and never before")
    func readyAfterFirstToken() {
        var script = MachineScript(MachineScript.starting)
        for event: NodeEvent in [
            .logFact(.startupComplete), .logFact(.serverProcessStarted(pid: 100)), .healthAnswered(.refused),
            .healthAnswered(.healthy),
        ] {
            #expect(!script.on(event).contains(.notifyReady))
        }
        #expect(script.state == "verifying")
        let actions = script.on(.canaryAnswered(took: .milliseconds(20)))
        #expect(actions.first == .notifyReady)
        #expect(actions.reports == [.ready])
        #expect(script.state == "serving")
    }

    @Test("The log alone never makes the node ready, whatever it says")
    func logAloneIsNotReadiness() {
        var script = MachineScript(MachineScript.starting)
        let facts: [LogFact] = [
            .startupComplete, .serverStarting(url: "http://0.0.0.0:8000"), .modelLoaded(gib: 1, seconds: 1),
            .engineInitialised(seconds: 1), .startupComplete,
        ]
        for fact in facts { #expect(!script.on(.logFact(fact)).contains(.notifyReady)) }
        #expect(script.state == "loading")
    }

    @Test("The engine is probed at once when uvicorn announces itself, and often from then on")
    func probesWhenAnnounced() {
        var script = MachineScript(MachineScript.loading)
        #expect(script.on(.healthAnswered(.refused)).arms(.probe) == script.machine.settings.probeWhileLoading)
        #expect(script.on(.logFact(.startupComplete)).suffix(2) == [.cancel(.probe), .probeHealth])
        #expect(script.on(.healthAnswered(.refused)).arms(.probe) == script.machine.settings.probeWhileListening)
    }

    @Test("A stranger's healthy server on our port is a failure, not readiness")
    func strangerIsRefused() {
        var script = MachineScript(MachineScript.loading)
        let actions = script.on(.healthAnswered(.stranger(PortListener(pid: 7, command: "nginx"))))
        #expect(actions.contains(.killEngine))
        #expect(script.machine.failure?.failure == .portInUse)
        #expect(script.machine.failure?.message.contains("nginx (pid 7)") == true)
        #expect(script.state == "failed")
    }

    @Test("Three one-token requests without an answer end the engine with canary_failed")
    func canaryIsTriedThreeTimes() {
        var script = MachineScript(MachineScript.verifying)
        for _ in 1...2 {
            #expect(script.on(.canaryFailed(reason: "status 500")).arms(.canary) != nil)
            #expect(script.on(.timerFired(.canary)) == [.sendCanary(model: "acme/tiny-llama")])
        }
        #expect(script.on(.canaryFailed(reason: "status 500")).reports == [.failed])
        #expect(script.machine.failure?.failure == .canaryFailed)
    }

    @Test("Timings are there once both their ends are, and absent before")
    func timings() {
        let loading = MachineScript(MachineScript.loading).timings
        #expect(loading.assignmentToExec == 2)
        #expect(loading.execToHealth == nil)
        #expect(loading.execToReady == nil)
        let serving = MachineScript(MachineScript.serving).timings
        #expect(serving.execToHealth == 3)
        #expect(serving.healthToReady == 1)
        #expect(serving.execToReady == 4)
        #expect(serving.canary == 0.03)
    }

    @Test("A start that moves is given more time by systemd, one that stands still is not")
    func extendsWhileMoving() {
        var script = MachineScript(MachineScript.loading)
        #expect(script.on(.timerFired(.keepAlive)).contains(.extendStartTimeout))
        for _ in 1...60 { script.on(.healthAnswered(.refused)) }
        #expect(!script.on(.timerFired(.keepAlive)).contains(.extendStartTimeout))
        script.on(.engineMoved(EngineVitals(cpuTicks: [101: 25], diskBytes: 0, logBytes: 0)))
        #expect(script.on(.timerFired(.keepAlive)).contains(.extendStartTimeout))
    }

    @Test(
        "A start that may stand still is given more time for as long as it may",
        arguments: [(.zero, 100_000, true), (.seconds(600), 500, true), (.seconds(600), 601, false)]
            as [(Duration, Int, Bool)])
    func extendsWhileItMayStandStill(stallAfter: Duration, seconds: Int, isGivenTime: Bool) {
        var settings = LifecycleSettings()
        settings.stallAfter = stallAfter
        var script = MachineScript(MachineScript.loading, settings: settings)
        script.pass(.seconds(seconds))
        #expect(script.on(.timerFired(.keepAlive)).contains(.extendStartTimeout) == isGivenTime)
    }

    @Test("Python's resource tracker is not taken for the engine's core")
    func spawnedProcesses() {
        var script = MachineScript(MachineScript.starting)
        let tracker = "/usr/bin/python3 -c from multiprocessing.resource_tracker import main;main(4)"
        script.on(.engineProcessesSeen([.named("vllm", pid: 100), .named(tracker, pid: 101)]))
        #expect(script.machine.timeline[.engineCoreSpawn] == nil)
        let spawn = "/usr/bin/python3 -c from multiprocessing.spawn import spawn_main; spawn_main(tracker_fd=5)"
        script.on(.engineProcessesSeen([.named(tracker, pid: 101), .named(spawn, pid: 102)]))
        #expect(script.machine.timeline[.engineCoreSpawn] != nil)
        #expect(script.machine.timeline[.workerSpawn] == nil)
    }

    @Test("The loading bar is the progress, and it is gone when the model serves")
    func progress() {
        var script = MachineScript(MachineScript.loading)
        script.on(.logFact(.weightsProgress(done: 30, total: 75, unit: .tensors)))
        #expect(script.machine.progress?.fraction == 0.4)
        script.on(.healthAnswered(.healthy))
        script.on(.canaryAnswered(took: .milliseconds(1)))
        #expect(script.machine.progress == nil)
    }
}

extension MachineScript {
    var snapshot: NodeSnapshot {
        machine.snapshot(
            nodeID: "node-1", port: 8000, versions: NodeSnapshot.Versions(agent: "test"),
            at: now)
    }

    var timings: Timings { snapshot.timings }
}
