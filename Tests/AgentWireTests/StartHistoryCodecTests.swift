internal import AgentCore
internal import AgentWire
internal import Testing

struct StartHistoryCodecTests {
    private static func history() -> StartHistory {
        var history = StartHistory()
        let key = StartKey(model: "acme/tiny-llama", vllm: "0.32.0", gpu: "A10G", isFirstSinceBoot: false)
        history.learn(StartRecord(offsets: [.engineConfig: 8.25, .firstToken: 31], ready: 31.5), for: key)
        history.learn(StartRecord(offsets: [.engineConfig: 8], ready: 30), for: key)
        return history
    }

    @Test("What was written is read back")
    func roundTrip() throws {
        let history = Self.history()
        #expect(try StartHistoryCodec.parse(StartHistoryCodec.render(history)) == history)
    }

    @Test(
        "A file that is none is refused with a reason",
        arguments: ["", "[]", "{\"schema\":2,\"starts\":[]}", "{\"schema\":1}", "<html>"])
    func refused(text: String) {
        #expect(throws: JSONSyntaxError.self) { try StartHistoryCodec.parse([UInt8](text.utf8)) }
    }

    @Test("An entry that makes no sense is left out, the others stay")
    func badEntries() throws {
        let text = """
            {"schema":1,"starts":[
              {"model":"a","vllm":"1","gpu":"g","first_since_boot":true,"records":[{"ready_s":-1,"phases_s":{}}]},
              {"model":"b","vllm":"1","gpu":"g"},
              {"model":"c","vllm":"1","gpu":"g","first_since_boot":true,
               "records":[{"ready_s":9,"phases_s":{"compile":3,"unheard_of":1,"kv_profile":"x"}}]}]}
            """
        let history = try StartHistoryCodec.parse([UInt8](text.utf8))
        #expect(history.entries.map(\.key.model) == ["c"])
        #expect(history.entries.first?.records == [StartRecord(offsets: [.compile: 3], ready: 9)])
    }
}
