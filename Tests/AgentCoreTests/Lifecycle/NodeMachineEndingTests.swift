internal import AgentCore
internal import AgentTestKit
internal import Testing

@Suite struct NodeMachineEndingTests {
    @Test("Stopping a serving engine: SIGTERM, a drain, and nothing else until it is gone")
    func drains() {
        var script = MachineScript(MachineScript.serving)
        let actions = script.on(.stopRequested)
        #expect(actions.first == .notifyStopping)
        #expect(actions.contains(.terminateEngine))
        #expect(actions.reports == [.draining])
        let settings = script.machine.settings
        #expect(actions.arms(.kill) == settings.drain + settings.teardown)
        #expect(script.on(.engineExited(.exited(code: 0))).arms(.leftovers) == settings.leftovers)
        #expect(script.on(.engineGone).reports == [.stopped])
        #expect(script.on(.eventsDelivered).last == .finish)
    }

    @Test("A SIGTERM that vLLM swallows while it starts is followed by another and by SIGKILL")
    func ladder() {
        var script = MachineScript(MachineScript.loading)
        #expect(script.on(.stopRequested).arms(.secondTerminate) != nil)
        let second = script.on(.timerFired(.secondTerminate))
        #expect(second.first == .terminateEngine)
        #expect(second.arms(.kill) != nil)
        #expect(script.on(.timerFired(.kill)).contains(.killEngine))
    }

    @Test("What outlives the main process is killed after a grace for Python's resource tracker")
    func leftovers() {
        var script = MachineScript(MachineScript.draining)
        script.on(.engineExited(.exited(code: 0)))
        #expect(script.on(.timerFired(.leftovers)).contains(.killEngine))
    }

    @Test("Asking twice to stop kills at once")
    func insists() {
        var script = MachineScript(MachineScript.draining)
        #expect(script.on(.stopRequested).contains(.killEngine))
    }

    @Test(
        "An exit nobody asked for is a failure whatever its code",
        arguments: [
            EngineExit.exited(code: 0), .exited(code: 1), .signalled(signal: 9, coreDumped: false),
        ])
    func everyExitIsFailure(exit: EngineExit) {
        var script = MachineScript(MachineScript.serving)
        #expect(script.on(.engineExited(exit)).contains(.killEngine))
        let verdict = script.on(.failureExplained(FailureReport(.unknown, message: "no reason")))
        #expect(verdict.reports == [.failed])
        #expect(script.machine.failureExit == exit)
        #expect(script.on(.engineGone).arms(.backoff) == .seconds(1))
    }

    @Test("A lost EngineCore is a failure before the main process has noticed")
    func lostEngineCore() {
        var script = MachineScript(MachineScript.serving)
        let core = EngineProcess.named("VLLM::EngineCore", pid: 101)
        #expect(script.on(.engineProcessEnded(core)).arms(.settle) != nil)
        let actions = script.on(.timerFired(.settle))
        #expect(actions.contains(.killEngine))
        #expect(actions.contains(.explainFailure))
        script.on(.failureExplained(FailureReport(.unknown, message: "")))
        #expect(script.machine.failure?.failure == .engineDied)
        #expect(script.machine.failure?.message.contains("VLLM::EngineCore (pid 101)") == true)
    }

    @Test("A cause in the log is worth more than a probe that answered 503")
    func causeBeforeProbe() {
        var script = MachineScript(MachineScript.serving)
        #expect(script.on(.healthAnswered(.unhealthy(status: 503))).contains(.explainFailure))
        script.on(.failureExplained(FailureReport(.gpuOutOfMemory, message: "CUDA out of memory")))
        #expect(script.machine.failure?.failure == .gpuOutOfMemory)
    }

    @Test("A stop that comes while a failure is being explained does not swallow the failure")
    func failureBeforeStop() {
        var script = MachineScript(MachineScript.serving)
        script.on(.engineExited(.signalled(signal: 9, coreDumped: false)))
        script.on(.stopRequested)
        script.on(.engineGone)
        #expect(
            script.on(.failureExplained(FailureReport(.hostOutOfMemory, message: "oom"))).reports == [
                .failed, .stopped,
            ])
    }

    @Test("A revoked node stays revoked when SIGTERM follows, and SIGTERM after that insists")
    func revokedThenStopped() {
        var script = MachineScript(MachineScript.serving)
        script.on(.assignmentRevoked)
        #expect(!script.on(.stopRequested).contains(.killEngine))
        #expect(script.on(.stopRequested).contains(.killEngine))
        script.on(.engineExited(.signalled(signal: 9, coreDumped: false)))
        #expect(script.on(.engineGone).reports == [.revoked, .stopped])
    }

    @Test("An engine the kernel cannot end is said, and the agent leaves without it")
    func unkillable() {
        var script = MachineScript(MachineScript.draining)
        #expect(script.on(.timerFired(.kill)).arms(.stuck) != nil)
        #expect(script.on(.timerFired(.stuck)).reports == [.failed, .stopped])
        #expect(script.machine.failure?.failure == .engineUnkillable)
        #expect(script.on(.eventsDelivered).last == .finish)
    }

    @Test("A serving engine that misses probes is not ready, and ended when it misses them all")
    func silence() {
        var script = MachineScript(MachineScript.serving)
        for _ in 1...3 { script.on(.healthAnswered(.silent)) }
        #expect(!script.snapshot.isServing)
        script.on(.healthAnswered(.healthy))
        #expect(script.snapshot.isServing)
        for _ in 1..<30 { script.on(.healthAnswered(.silent)) }
        #expect(script.on(.healthAnswered(.refused)).contains(.killEngine))
    }

    @Test("A helper process that ends is no failure")
    func helperEnds() {
        var script = MachineScript(MachineScript.serving)
        #expect(script.on(.engineProcessEnded(.named("python3 -c from resource_tracker", pid: 5))) == [])
        #expect(script.state == "serving")
    }

    @Test("Failures in a row wait longer each time, up to a minute")
    func backoffGrows() {
        var script = MachineScript(MachineScript.serving)
        var delays: [Duration] = []
        for _ in 1...8 {
            script.on(.engineExited(.exited(code: 1)))
            script.on(.failureExplained(FailureReport(.engineDied, message: "x")))
            delays.append(script.on(.engineGone).arms(.backoff) ?? .zero)
            script.on(.timerFired(.backoff))
            script.on(.prepared(generation: 1))
            script.on(.engineStarted(pid: 1))
        }
        #expect(delays == [1, 2, 4, 8, 16, 32, 60, 60].map { .seconds($0) })
    }

    @Test("After a failure that cannot heal the node waits for another assignment")
    func finalFailure() {
        var script = MachineScript(MachineScript.preparing)
        let actions = script.on(.preparationFailed(generation: 1, FailureReport(.badFlag, message: "--nope")))
        #expect(actions.reports == [.failed])
        #expect(actions.arms(.backoff) == nil)
        #expect(script.on(.assignmentReceived(.sample(generation: 2))).contains(.prepare(.sample(generation: 2))))
        #expect(script.machine.failure == nil)
    }

    @Test("Undelivered events do not hold the agent for ever")
    func undelivered() {
        var script = MachineScript(MachineScript.leaving)
        #expect(script.on(.timerFired(.delivery)).last == .finish)
    }
}
