internal import AgentCore
internal import AgentTestKit
internal import Testing

@Suite struct NodeMachineAssignmentTests {
    @Test("An older generation never acts")
    func stale() {
        var script = MachineScript(MachineScript.booted)
        script.on(.assignmentReceived(.sample(generation: 2)))
        let actions = script.on(.assignmentReceived(.sample(generation: 1, model: "other/model")))
        #expect(actions == [.tell(.staleAssignment(generation: 1, current: 2))])
        #expect(script.machine.assignment?.model == "acme/tiny-llama")
    }

    @Test("A generation is one wish: what says something else under it is refused, once")
    func changedWish() {
        var script = MachineScript(MachineScript.booted)
        script.on(.assignmentReceived(.sample(generation: 2)))
        let other = NodeEvent.assignmentReceived(.sample(generation: 2, model: "other/model"))
        #expect(script.on(other).contains(.report(.rejected(2, [.changedWish(2)]))))
        #expect(script.on(other) == [])
        #expect(script.machine.assignment?.model == "acme/tiny-llama")
    }

    @Test("A preparation that was overtaken is waited for, not used, and followed by the newer one")
    func overtakenPreparation() {
        var script = MachineScript(MachineScript.preparing)
        #expect(!script.on(.assignmentReceived(.sample(generation: 2))).contains(.prepare(.sample(generation: 2))))
        #expect(script.on(.prepared(generation: 1)) == [.prepare(.sample(generation: 2))])
        #expect(script.on(.prepared(generation: 2)) == [.startEngine(generation: 2)])
    }

    @Test("New credentials alone end no engine: they are for the next one", arguments: [0, 1, 2])
    func newCredentials(history: Int) {
        var script = MachineScript([MachineScript.starting, MachineScript.loading, MachineScript.serving][history])
        var renewed = Assignment.sample(generation: 2)
        renewed.store.secretAccessKey = Secret("another")
        renewed.store.expiresAt = "2026-11-22T12:00:00Z"
        let state = script.state
        let actions = script.on(.assignmentReceived(renewed))
        #expect(actions.contains(.renewCredentials(renewed)))
        #expect(actions.reports == [.assignmentAccepted])
        #expect(script.state == state)
        #expect(script.machine.generation == 2)
        #expect(script.machine.assignment == renewed)
        // What holds now is what the next start is made with.
        script.on(.engineExited(.exited(code: 1)))
        script.on(.failureExplained(FailureReport(.engineDied, message: "died")))
        #expect(script.on(.engineGone).arms(.backoff) != nil)
        #expect(script.on(.timerFired(.backoff)).contains(.prepare(renewed)))
    }

    @Test("New credentials end no engine that serves with other settings than it was to, and those stay")
    func newCredentialsAfterChange() throws {
        var script = MachineScript(MachineScript.loading + Self.outOfMemory)
        let tried = try #require(script.machine.assignment)
        #expect(tried.streamerConcurrency == 16)
        for event in MachineScript.serving.dropFirst(MachineScript.preparing.count) { script.on(event) }
        #expect(script.state == "serving")
        var renewed = Assignment.sample(generation: 2)
        renewed.store.secretAccessKey = Secret("another")
        let actions = script.on(.assignmentReceived(renewed))
        let now = try #require(script.machine.assignment)
        #expect(actions.contains(.renewCredentials(now)))
        #expect(script.state == "serving")
        #expect(now.streamerConcurrency == 16)
        #expect(now.asReceived == renewed)
        #expect(script.on(.assignmentReceived(renewed)) == [])
    }

    private static let outOfMemory: [NodeEvent] = [
        .engineExited(.exited(code: 1)), .failureExplained(FailureReport(.hostOutOfMemory, message: "killed")),
        .engineGone, .timerFired(.backoff),
    ]

    @Test("A start over with nothing new in it is a new start, with the settings that were asked for")
    func sameAgain() throws {
        var script = MachineScript(MachineScript.loading + Self.outOfMemory)
        script.on(.prepared(generation: 1))
        #expect(script.on(.assignmentReceived(.sample(generation: 2))).contains(.prove(.sample(generation: 2))))
    }

    @Test("New credentials for another model are another assignment")
    func otherModel() {
        var script = MachineScript(MachineScript.serving)
        var other = Assignment.sample(generation: 2, model: "acme/other")
        other.store.secretAccessKey = Secret("another")
        #expect(script.on(.assignmentReceived(other)).contains(.prove(other)))
    }

    @Test("A rejected assignment is told with every fault, once, and the good one goes on")
    func rejected() {
        var script = MachineScript(MachineScript.serving)
        let faults = [FieldFault(field: "dtype", problem: "is wrong"), FieldFault(field: "r2", problem: "is missing")]
        let actions = script.on(.assignmentRejected(generation: 2, faults: faults))
        #expect(actions.contains(.report(.rejected(2, faults))))
        #expect(script.on(.assignmentRejected(generation: 2, faults: faults)) == [])
        #expect(script.state == "serving")
    }

    @Test("A revoked node drains, stops and leaves")
    func revoked() {
        var script = MachineScript(MachineScript.serving)
        #expect(script.on(.assignmentRevoked).contains(.terminateEngine))
        script.on(.engineExited(.exited(code: 0)))
        #expect(script.on(.engineGone).reports == [.revoked, .stopped])
    }

    @Test("A control plane that is away is said once, and once more when it is back")
    func controlPlaneAway() {
        var script = MachineScript(MachineScript.serving)
        #expect(script.on(.controlPlaneLost(reason: "refused")) == [.tell(.controlPlaneLost(reason: "refused"))])
        #expect(script.on(.controlPlaneLost(reason: "refused")) == [])
        #expect(script.state == "serving")
        #expect(script.on(.controlPlaneFound) == [.tell(.controlPlaneFound)])
        #expect(script.on(.controlPlaneFound) == [])
    }
}
