internal import AgentCore
internal import AgentTestKit
internal import AgentWire
internal import Testing

@Suite struct HandoverCodecTests {
    @Test("What is handed over arrives whole")
    func roundTrip() throws {
        var handover = Handover.sample(phases: [.agentStarted, .assignmentReceived, .preflightDone, .modelInit])
        handover.canaryTook = .milliseconds(7)
        handover.restarts = RestartPolicy(failures: 2, restarts: 5)
        handover.assignment.callbackURL = "https://receiver.example.com/events"
        handover.assignment.callbackSecret = Secret("canary-callback")
        handover.assignment.store.sessionToken = Secret("canary-session")
        handover.assignment.maxModelLength = 4096
        handover.assignment.extraArguments = ["--enforce-eager"]
        let position = LogPosition(device: 1, inode: 2, offset: 0, fingerprint: LogFingerprint(of: []))
        let origin = LogCheckpoint(origin: position, understood: position)
        let found = try #require(HandoverCodec.parse(HandoverCodec.render(handover, origin: origin)))
        #expect(found.handover == handover)
        #expect(found.log == .checkpoint(origin))
        #expect(HandoverCodec.parse(HandoverCodec.render(handover, origin: nil))?.log == .beginning)
    }

    @Test("An assignment that is tried with other settings arrives with both", arguments: [false, true])
    func changedSettings(isGiven: Bool) throws {
        var handover = Handover.sample()
        if isGiven {
            handover.assignment.streamerConcurrency = 48
            handover.assignment.givenStreamerSettings = [.concurrency]
        }
        let received = handover.assignment
        let concurrency = SettingChange(setting: .concurrency, from: Int64(received.streamerConcurrency), to: 16)
        let memory = SettingChange(setting: .memoryLimit, from: received.streamerMemoryLimit, to: 1 << 30)
        handover.assignment = received.with([concurrency]).with([memory])
        let found = try #require(HandoverCodec.parse(HandoverCodec.render(handover, origin: nil))?.handover)
        #expect(found == handover)
        #expect(found.assignment.streamerConcurrency == 16)
        #expect(found.assignment.asReceived == received)
    }

    @Test("What is no handover is none", arguments: ["", "{", "[]", "{}", #"{"assignment":{}}"#])
    func garbage(text: String) {
        #expect(HandoverCodec.parse([UInt8](text.utf8)) == nil)
    }
}
