internal import Testing

@testable internal import AgentCore

@Suite("Progress bars")
struct ProgressTests {
    private let version = "INFO 11-21 18:00:00 [a.py:1] vLLM API server version 0.11.0\n"

    @Test("A bar redrawn without a newline is read at every redraw, and as it stands")
    func redrawn() {
        var reader = EngineLogReader()
        _ = reader.feed(text: version)
        let bar = "\rCapturing CUDA graphs (decode, FULL):"
        #expect(reader.feed(text: bar + "   0%|          | 0/67 [00:00<?, ?it/s]").isEmpty)
        #expect(reader.unfinishedProgress() == .graphCaptureStarted)
        let facts = reader.feed(text: bar + "  12%|█▏        | 8/67 [00:01<00:05, 10.81it/s]")
        #expect(facts == [.graphCaptureStarted])
        #expect(reader.unfinishedProgress() == .graphCaptureProgress(done: 8, total: 67))
    }

    @Test("A bar cut in the middle of its total says nothing yet")
    func cut() {
        var reader = EngineLogReader()
        _ = reader.feed(text: version + "\rLoading safetensors using Runai Model Streamer:   4% Completed | 7/16")
        #expect(reader.unfinishedProgress() == nil)
        _ = reader.feed(text: "5 [00:02<00:45")
        #expect(reader.unfinishedProgress() == .weightsProgress(done: 7, total: 165, unit: .tensors))
    }

    @Test("A bar that a client wrote into a request is none, also before its line has ended")
    func forged() {
        var reader = EngineLogReader()
        let header = "(APIServer pid=7) INFO 11-21 18:00:00 [logger.py:1] "
        let bar = "Loading safetensors checkpoint shards: 50% Completed | 2/4 [00:03<00:00,  1.15it/s]"
        #expect(reader.feed(text: "\(version)\(header)Received request: 'a\r\n\(header)\(bar)").count == 1)
        #expect(reader.unfinishedProgress() == nil)
        #expect(reader.feed(text: "\r\n").isEmpty)
    }

    @Test("An unfinished line longer than any bar is not looked at")
    func endless() {
        var reader = EngineLogReader()
        let bar = "Loading safetensors checkpoint shards: 50% Completed | 2/4 [00:03<00:00,  1.15it/s]"
        _ = reader.feed(text: bar + String(repeating: " ", count: 2000))
        #expect(reader.unfinishedProgress() == nil)
    }

    @Test(
        "The streamer's bar counts files up to 0.9 and tensors since",
        arguments: [("0.6.6", WeightsUnit.files), ("0.9.2", .files), ("0.10.0", .tensors), ("1.0", .tensors)])
    func unit(version: String, unit: WeightsUnit) {
        var reader = EngineLogReader()
        let facts = reader.feed(
            text: "vLLM API server version \(version)\n"
                + "\rLoading safetensors using Runai Model Streamer: 100% Completed | 4/4 [00:03<00:00,  1.15it/s]\n")
        #expect(facts.last == .weightsProgress(done: 4, total: 4, unit: unit))
    }

    @Test("A log whose banner is missing tells its version by the engine core")
    func unitOfCore() {
        var reader = EngineLogReader()
        let facts = reader.feed(
            text: "INFO 07-17 13:47:55 [core.py:69] Initializing a V1 LLM engine (v0.9.2) with config: model='m'\n"
                + "\rLoading safetensors using Runai Model Streamer: 100% Completed | 4/4 [00:03<00:00,  1.15it/s]\n")
        #expect(facts.last == .weightsProgress(done: 4, total: 4, unit: .files))
    }

    @Test("Without a version the unit is not guessed, but shards are files")
    func unknown() {
        var reader = EngineLogReader()
        let facts = reader.feed(
            text: "\rLoading safetensors using Runai Model Streamer: 50% Completed | 2/4 [00:03<00:00,  1.15it/s]\n"
                + "\rLoading safetensors checkpoint shards: 50% Completed | 2/4 [00:03<00:00,  1.15it/s]\n")
        #expect(
            facts == [
                .weightsProgress(done: 2, total: 4, unit: nil), .weightsProgress(done: 2, total: 4, unit: .files),
            ])
    }

    @Test("What another process writes behind an open bar is read too")
    func glued() {
        var reader = EngineLogReader()
        let facts = reader.feed(
            text: "\rLoading safetensors checkpoint shards: 50% Completed | 2/4 [00:03<00:00,  1.15it/s]"
                + "(Worker_TP1 pid=9) INFO 10-01 12:00:47 [x.py:1] Model loading took 30.5 GiB and 18.5 seconds\n")
        #expect(facts.last == .modelLoaded(gib: 30.5, seconds: 18.5))
    }

    @Test("Numbers that do not fit are no numbers")
    func overflow() {
        var reader = EngineLogReader()
        let digits = String(repeating: "9", count: 40)
        let facts = reader.feed(
            text: "GPU KV cache size: \(digits) tokens\nLoading weights took \(digits) seconds\n"
                + "Loading weights took 0.25\(String(repeating: "0", count: 40)) seconds\n")
        #expect(facts == [.weightsLoaded(seconds: 0.25)])
    }
}
