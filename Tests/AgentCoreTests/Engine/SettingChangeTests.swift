internal import AgentTestKit
internal import Testing

@testable internal import AgentCore

struct SettingChangeTests {
    private static func assignment(memoryLimit: Int64 = 5 << 30, concurrency: Int = 32) -> Assignment {
        var assignment = Assignment.sample()
        assignment.streamerMemoryLimit = memoryLimit
        assignment.streamerConcurrency = concurrency
        return assignment
    }

    private static let tooSmall = FailureReport(
        .memoryLimitTooSmall,
        message: "runai_model_streamer.RunaiStreamerMemoryLimitException: Memory limit supplied: 1000 cannot be"
            + " smaller than: 2608")

    @Test("The limit that the streamer names is the next one")
    func memoryLimit() {
        let before = Self.assignment(memoryLimit: 1000)
        let changes = SettingChange.after(Self.tooSmall, of: before)
        #expect(changes == [SettingChange(setting: .memoryLimit, from: 1000, to: 2608)])
        let after = before.with(changes)
        #expect(after.streamerMemoryLimit == 2608)
        #expect(after.givenStreamerSettings == [.memoryLimit])
    }

    @Test(
        "A limit that makes no sense is not believed",
        arguments: ["smaller than: ", "smaller than: -5", "smaller than: 99999999999999999999", "smaller than: 999"])
    func senseless(message: String) {
        let report = FailureReport(.memoryLimitTooSmall, message: message)
        let changes = SettingChange.after(report, of: Self.assignment(memoryLimit: 1000))
        #expect(changes.isEmpty)
        #expect(!report.canPass(with: changes))
    }

    @Test("A machine out of memory is asked for half, until little is left to give")
    func hostOutOfMemory() {
        let report = FailureReport(.hostOutOfMemory, message: "killed")
        var assignment = Self.assignment()
        var tries = 0
        while case let changes = SettingChange.after(report, of: assignment), !changes.isEmpty {
            assignment = assignment.with(changes)
            tries += 1
        }
        #expect(tries == 3)
        #expect(assignment.streamerMemoryLimit == 1 << 30)
        #expect(assignment.streamerConcurrency == 4)
        #expect(report.canPass(with: []))
    }

    @Test("No limit at all is the first thing to go")
    func unlimited() {
        let report = FailureReport(.hostOutOfMemory, message: "killed")
        let changes = SettingChange.after(report, of: Self.assignment(memoryLimit: -1, concurrency: 4))
        #expect(changes == [SettingChange(setting: .memoryLimit, from: -1, to: 5 << 30)])
    }

    @Test("Weights that could not be read are asked for over fewer connections")
    func starved() {
        let changes = SettingChange.after(FailureReport(.weightsUnreadable, message: "x"), of: Self.assignment())
        #expect(changes == [SettingChange(setting: .concurrency, from: 32, to: 16)])
    }

    @Test("Other failures change nothing", arguments: [FailureClass.stalled, .credentialsRejected, .gpuBusy])
    func others(failure: FailureClass) {
        #expect(SettingChange.after(FailureReport(failure, message: "x"), of: Self.assignment()).isEmpty)
    }

    @Test("The machine prepares the next try with what was changed, and says so")
    func machine() {
        var assignment = Self.assignment(memoryLimit: 1000)
        assignment.generation = 1
        var script = MachineScript(
            MachineScript.booted + [
                .assignmentReceived(assignment), .prepared(generation: 1), .engineStarted(pid: 100),
                .engineExited(.exited(code: 1)),
            ])
        let explained = script.on(.failureExplained(Self.tooSmall))
        #expect(explained.reports == [.failed])
        let gone = script.on(.engineGone)
        let change = SettingChange(setting: .memoryLimit, from: 1000, to: 2608)
        #expect(gone.contains { if case .tell(.retrying(_, [change])) = $0 { true } else { false } })
        let again = script.on(.timerFired(.backoff))
        #expect(again.contains(.prepare(assignment.with([change]))))
    }

    @Test("An engine that served keeps its settings, whatever ended it")
    func served() {
        var script = MachineScript(MachineScript.serving + [.engineExited(.exited(code: 0))])
        script.on(.failureExplained(FailureReport(.hostOutOfMemory, message: "killed")))
        let gone = script.on(.engineGone)
        #expect(gone.contains { if case .tell(.retrying(_, [])) = $0 { true } else { false } })
    }
}
