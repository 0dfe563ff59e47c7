internal import Testing
@testable internal import AgentCore

@Suite("Logs of real runs are understood as a reader understands them")
struct TranscriptTests {
    @Test("Every known line becomes its fact, in order", arguments: Transcript.all + Transcript.reconstructed)
    func facts(_ transcript: Transcript) {
        var reader = EngineLogReader()
        let facts = reader.feedAll(transcript.bytes).map(\.golden)
        #expect(!facts.isEmpty)
        #expect(facts == transcript.facts)
    }

    @Test("The verdict names class, process and deciding line", arguments: Transcript.all + Transcript.reconstructed)
    func verdict(_ transcript: Transcript) {
        var reader = EngineLogReader()
        _ = reader.feedAll(transcript.bytes)
        let report = reader.explain(transcript.exit)
        #expect(report.golden == transcript.verdict)
        #expect(report.evidence.count <= 8)
        #expect(report.evidence.allSatisfy { $0.utf8.count <= 512 })
        if let exit = transcript.exit { #expect(report.evidence.last == FailureClassifier.describe(exit)) }
    }

    @Test("All transcripts are there")
    func transcripts() {
        #expect(Transcript.all.count == 26)
        #expect(Transcript.reconstructed.count == 5)
    }
}
