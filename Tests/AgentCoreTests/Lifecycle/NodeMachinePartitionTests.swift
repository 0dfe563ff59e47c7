internal import AgentCore
internal import AgentTestKit
internal import Testing

@Suite struct NodeMachinePartitionTests {
    private static let settings: LifecycleSettings = {
        var settings = LifecycleSettings()
        settings.partitionStop = .seconds(600)
        return settings
    }()

    private static let lost = NodeEvent.controlPlaneLost(reason: "refused")
    private static let gone: [NodeEvent] = [.engineExited(.exited(code: 0)), .engineGone]

    /// Ten minutes without a word, from these events on.
    private static func partitioned(_ events: [NodeEvent]) -> (script: MachineScript, actions: [NodeAction]) {
        var script = MachineScript(events + [lost], settings: settings)
        script.pass(.seconds(600))
        let actions = script.on(.timerFired(.partition))
        return (script, actions)
    }

    private static func node(_ script: MachineScript) -> NodeSnapshot {
        script.machine.snapshot(nodeID: "n", port: 8000, versions: NodeSnapshot.Versions(agent: "test"), at: script.now)
    }

    @Test("Unless it is asked for, a node serves on for as long as the control plane is away")
    func off() {
        var script = MachineScript(MachineScript.serving)
        #expect(script.on(Self.lost) == [.tell(.controlPlaneLost(reason: "refused"))])
        script.pass(.seconds(1_000_000))
        #expect(script.on(.timerFired(.partition)) == [])
        #expect(script.state == "serving")
    }

    @Test("A node that has heard nothing for too long drains, stops, tells why, and begins again when it hears")
    func stops() {
        var (script, actions) = Self.partitioned(MachineScript.serving)
        #expect(actions.contains(.terminateEngine))
        #expect(actions.contains(.report(.ending(.draining, because: "partition"))))
        #expect(script.state == "draining")
        script.on(Self.gone[0])
        #expect(script.on(Self.gone[1]).contains(.report(.ending(.stopped, because: "partition"))))
        #expect(Self.node(script).isPartitioned)
        #expect(Self.node(script).state == "stopped")
        #expect(Self.node(script).status.contains("stopped acme/tiny-llama until the control plane answers again"))
        #expect(script.machine.standby == .none)
        #expect(script.on(.controlPlaneFound).contains(.prepare(.sample())))
        #expect(!Self.node(script).isPartitioned)
        #expect(script.on(.prepared(generation: 1)) == [.startEngine(generation: 1)])
    }

    @Test("The time counts from the last word, whichever that was")
    func countsFromTheLastWord() {
        var script = MachineScript(MachineScript.serving + [.controlPlaneFound], settings: Self.settings)
        #expect(script.on(Self.lost).arms(.partition) == .seconds(599))
        script.pass(.seconds(300))
        // An event was taken, though no poll is answered.
        script.on(.controlPlaneHeard)
        script.pass(.seconds(298))
        #expect(script.on(.timerFired(.partition)).arms(.partition) == .seconds(301))
        script.pass(.seconds(300))
        #expect(script.on(.timerFired(.partition)).contains(.terminateEngine))
    }

    @Test("A control plane that answers again in time stops nothing")
    func inTime() {
        var script = MachineScript(MachineScript.serving + [Self.lost], settings: Self.settings)
        script.pass(.seconds(500))
        #expect(script.on(.controlPlaneFound).contains(.cancel(.partition)))
        script.pass(.seconds(500))
        #expect(script.on(.timerFired(.partition)) == [])
        #expect(script.state == "serving")
    }

    @Test("One that answers during the drain is not told of a stop: the node begins again at once")
    func duringTheDrain() {
        var (script, _) = Self.partitioned(MachineScript.serving)
        script.on(.controlPlaneFound)
        script.on(Self.gone[0])
        let actions = script.on(Self.gone[1])
        #expect(actions.contains(.prepare(.sample())))
        #expect(actions.reports == [])
    }

    @Test("A start is ended too, and what only waits for one stands still", arguments: [0, 1, 2])
    func starts(history: Int) {
        let failed = FailureReport(.engineDied, message: "died")
        let histories = [
            MachineScript.preparing, MachineScript.loading,
            MachineScript.preparing + [.preparationFailed(generation: 1, failed)],
        ]
        var (script, actions) = Self.partitioned(histories[history])
        if history == 1 { actions += Self.gone.flatMap { script.on($0) } }
        if history == 0 { #expect(actions.contains(.abandonPreparation)) }
        #expect(actions.contains(.report(.ending(.stopped, because: "partition"))))
        #expect(script.state == "stopped")
        #expect(script.on(.timerFired(.backoff)) == [])
        if history == 0 { script.on(.preparationAbandoned(generation: 1)) }
        #expect(script.on(.controlPlaneFound).contains(.prepare(.sample())))
    }

    @Test("A node without an engine has nothing to stop")
    func nothingToStop() {
        let final = FailureReport(.badFlag, message: "--nope")
        for history in [MachineScript.booted, MachineScript.preparing + [.preparationFailed(generation: 1, final)]] {
            let (script, actions) = Self.partitioned(history)
            #expect(actions == [])
            #expect(["waiting", "failed"].contains(script.state))
        }
    }

    @Test("What is wanted by then is what is started", arguments: [true, false])
    func anotherAssignment(isFoundFirst: Bool) {
        var (script, _) = Self.partitioned(MachineScript.serving)
        for event in Self.gone { script.on(event) }
        let second = NodeEvent.assignmentReceived(.sample(generation: 2))
        if isFoundFirst {
            script.on(.controlPlaneFound)
            #expect(script.on(second).contains(.abandonPreparation))
            #expect(script.on(.preparationAbandoned(generation: 1)).contains(.prepare(.sample(generation: 2))))
        } else {
            #expect(!script.on(second).contains(.prepare(.sample(generation: 2))))
            #expect(script.on(.controlPlaneFound).contains(.prepare(.sample(generation: 2))))
        }
    }

    @Test("A node that was revoked meanwhile leaves")
    func revoked() {
        var (script, _) = Self.partitioned(MachineScript.serving)
        for event in Self.gone { script.on(event) }
        #expect(script.on(.assignmentRevoked).reports == [.revoked, .stopped])
    }

    @Test("An engine that dies while nothing is heard is not started again before the control plane is back")
    func diesMeanwhile() {
        var (script, _) = Self.partitioned(MachineScript.serving + [.engineExited(.exited(code: 1))])
        script.on(.failureExplained(FailureReport(.engineDied, message: "died")))
        #expect(script.on(.engineGone).arms(.backoff) != nil)
        #expect(script.on(.timerFired(.backoff)).reports == [.stopped])
        #expect(script.on(.controlPlaneFound).contains(.prepare(.sample())))
    }
}
