internal import AgentCore
internal import AgentTestKit
internal import Testing

@Suite("What carried caches were good for")
struct CacheVerdictTests {
    @Test(
        "What could not be had says why",
        arguments: [
            (CacheRestoration.absent, CacheVerdict.Outcome.absent, String?.none),
            (.refused(CacheFault("a hole")), .refused, "what is in the store has a hole"),
            (.failed("the store: 403"), .failed, "the store: 403"),
            (.late, .late, "not there in time"),
        ])
    func restorations(_ restoration: CacheRestoration, _ outcome: CacheVerdict.Outcome, _ reason: String?) {
        let verdict = CacheVerdict(after: restoration, key: "k")
        #expect(verdict.outcome == outcome)
        #expect(verdict.reason == reason)
    }

    @Test("What was in place counts as used only where that is shown")
    func uses() {
        var verdict = CacheVerdict(after: .restored(files: 3, bytes: 9), key: "k")
        #expect(verdict.outcome == .notUsed)
        verdict.judge(.nothingNew)
        #expect(verdict.outcome == .unproven)
        verdict.judge(.loaded)
        #expect(verdict.outcome == .used)
        verdict.judge(.compiled(newFiles: 2))
        #expect((verdict.outcome, verdict.files, verdict.compiledFiles) == (.notUsed, 3, 2))
    }

    @Test("Names of factors are bounded in number and length")
    func bounds() {
        var verdict = CacheVerdict(.notUsed, key: "k")
        verdict.name(differences: Array(repeating: String(repeating: "x", count: 1000), count: 1000))
        #expect(verdict.differences.count == 16)
        #expect(verdict.differences.allSatisfy { $0.count == 128 })
    }

    @Test("It is told, reported and kept for the heartbeat")
    func told() {
        var script = MachineScript(MachineScript.serving)
        let verdict = CacheVerdict(.absent, key: "k")
        let actions = script.on(.cachesJudged(generation: 1, verdict))
        #expect(actions == [.tell(.cachesJudged(verdict)), .report(.judged(verdict))])
        #expect(script.machine.caches == verdict)
    }

    @Test("One of another generation, or of an engine that is gone, is nobody's")
    func late() {
        var script = MachineScript(MachineScript.serving)
        #expect(script.on(.cachesJudged(generation: 2, CacheVerdict(.used, key: "k"))).isEmpty)
        script.on(.engineExited(.exited(code: 1)))
        #expect(script.on(.cachesJudged(generation: 1, CacheVerdict(.used, key: "k"))).isEmpty)
        #expect(script.machine.caches == nil)
    }
}
