internal import AgentCore
internal import AgentTestKit
internal import Testing

/// An operator's stop, or a change: what the requests in flight get is what the operator grants, whatever the engine
/// was started with.
@Suite struct NodeMachineDrainTimeTests {
    private static func serving(engineDrains: Duration?) -> MachineScript {
        MachineScript(
            MachineScript.onAWS + MachineScript.preparing + [
                .prepared(generation: 1, engineDrains: engineDrains), .engineStarted(pid: 100),
                .logFact(.startupComplete), .healthAnswered(.healthy), .canaryAnswered(took: .milliseconds(30)),
            ])
    }

    @Test("An engine with more time of its own is asked at once, and cut when the operator's time is over")
    func longer() {
        var script = Self.serving(engineDrains: .seconds(116))
        let stop = script.on(.stopRequested)
        #expect(stop.contains(.terminateEngine))
        #expect(stop.arms(.drained) == script.machine.settings.drain)
        #expect(script.on(.timerFired(.drained)) == [.preempt(.countRequests)])
        #expect(script.on(.counted(1, drains: .seconds(116))).contains(.killEngine))
    }

    @Test("One that has finished is left to take itself down", arguments: [0, nil])
    func finished(count: Int?) {
        var script = Self.serving(engineDrains: .seconds(116))
        #expect(script.on(.stopRequested).arms(.kill) == .seconds(45))
        script.on(.timerFired(.drained))
        #expect(script.on(.counted(count, drains: .seconds(116))).isEmpty)
        #expect(script.on(.timerFired(.kill)).contains(.killEngine))
    }

    @Test("An engine with less time of its own is asked when it is idle, or when its time fits")
    func shorter() {
        var script = Self.serving(engineDrains: .seconds(5))
        let stop = script.on(.stopRequested)
        #expect(!stop.contains(.terminateEngine))
        #expect(stop.contains(.preempt(.countRequests)))
        #expect(stop.arms(.ask) == .seconds(25))
        #expect(script.state == "draining")
        #expect(!script.machine.showsServing)
        #expect(script.on(.counted(2, drains: .seconds(5))).arms(.preemption(.count)) != nil)
        #expect(script.on(.timerFired(.preemption(.count))) == [.preempt(.countRequests)])
        var idle = script
        #expect(idle.on(.counted(0, drains: .seconds(5))).contains(.terminateEngine))
        #expect(script.on(.timerFired(.ask)) == [.terminateEngine])
        #expect(script.on(.timerFired(.ask)).isEmpty)
    }

    @Test("Where nobody can count, an engine is asked at once")
    func uncountable() {
        var script = Self.serving(engineDrains: .zero)
        #expect(!script.on(.stopRequested).contains(.terminateEngine))
        #expect(script.on(.counted(nil, drains: nil)).contains(.terminateEngine))
    }

    @Test("A notice in the middle of it asks at once, with the time that the notice leaves")
    func notice() {
        var script = Self.serving(engineDrains: .seconds(5))
        script.on(.stopRequested)
        let actions = script.notice(in: 20)
        #expect(actions.contains(.terminateEngine))
        #expect(actions.contains(.cancel(.drained)))
        #expect(actions.arms(.kill) == .seconds(17))
    }

    @Test("A notice that leaves more than the operator grants changes nothing of that")
    func noticeFarther() {
        var script = Self.serving(engineDrains: .seconds(116))
        script.on(.stopRequested)
        let actions = script.notice(in: 120)
        #expect(actions.preemption(.preemption) != nil)
        #expect(actions.arms(.kill) == nil)
        #expect(!actions.contains(.cancel(.drained)))
        #expect(script.on(.timerFired(.kill)).contains(.killEngine))
        var counting = Self.serving(engineDrains: .seconds(116))
        counting.notice(in: 120)
        counting.on(.stopRequested)
        #expect(counting.on(.counted(1, drains: .seconds(116))).arms(.kill) == nil)
    }

    @Test("A second word of the operator's kills, asked or not")
    func insisted() {
        var script = Self.serving(engineDrains: .seconds(5))
        script.on(.stopRequested)
        #expect(script.on(.stopRequested).contains(.killEngine))
    }

    @Test("An engine that the kernel cannot end does not keep the last word of a notice from being said")
    func stuck() throws {
        var script = Self.serving(engineDrains: .seconds(116))
        script.notice(in: 120)
        script.on(.counted(2, drains: .seconds(116)))
        script.on(.timerFired(.kill))
        let actions = script.on(.timerFired(.stuck))
        let outcome = try #require(actions.preemption(.preempted)?.outcome)
        #expect(outcome.cut == 2)
        #expect(actions.reports.first == .failed)
        #expect(script.on(.timerFired(.stuck)).preemption(.preempted) == nil)
    }
}
