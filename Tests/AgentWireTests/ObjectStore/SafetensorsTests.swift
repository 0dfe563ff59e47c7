internal import AgentCore
internal import AgentWire
internal import Testing

@Suite("Headers and index of safetensors")
struct SafetensorsTests {
    static func file(_ json: String, length: Int? = nil, tail: Int = 0) -> [UInt8] {
        let count = UInt64(length ?? json.utf8.count)
        return (0..<8).map { UInt8(truncatingIfNeeded: count >> (8 * $0)) } + json.utf8
            + [UInt8](repeating: 7, count: tail)
    }

    @Test("Tells where the last tensor ends and how large the largest is, in any order")
    func header() throws {
        let json = """
            {"__metadata__":{"format":"pt","x":"{\\"}"},"b":{"dtype":"BF16","shape":[2,3],"data_offsets":[100,112]},
            "a\\u0022":{"data_offsets":[ 0 , 100 ],"dtype":"F8_E4M3","shape":[]}, "c":{"data_offsets":[112,112]}}
            """
        let header = try Safetensors.header(Self.file(json, tail: 32))
        #expect(header.dataBytes == 112)
        #expect(header.largestTensorBytes == 100)
        #expect(header.tensors == 3)
        #expect(header.objectBytes == UInt64(8 + json.utf8.count + 112))
    }

    @Test(
        "Refuses what is no header",
        arguments: [
            [], [1, 2, 3], file("{}", length: 3), file("[]"), file("{\"a\":{}}"), file("{\"a\":1}"), file("{}{}"),
            file("{\"a\":{\"data_offsets\":[5,1]}}"), file("{\"a\":{\"data_offsets\":[-1,1]}}"),
            file("{\"a\":{\"data_offsets\":[0,1.5]}}"), file("{\"a\":{\"data_offsets\":[0,1,2]}}"),
            file(String(repeating: "{\"a\":", count: 1000)), file("{\"a"), file("{\"a\\"),
            [255, 255, 255, 255, 255, 255, 255, 255] + Array("{}".utf8), Array("<!DOCTYPE html><html>".utf8),
        ])
    func nonsense(_ bytes: [UInt8]) {
        #expect(throws: JSONSyntaxError.self) { try Safetensors.header(bytes) }
    }

    @Test("Names the files of an index once each")
    func index() throws {
        let json = """
            {"metadata": {"total_size": 16060522496, "x": null}, "weight_map":
            {"a": "model-00001-of-00002.safetensors", "b": "model-00002-of-00002.safetensors",
            "c": "model-00001-of-00002.safetensors"}, "more": [true, -1.5e3]}
            """
        let index = try WeightIndex.parse([UInt8](json.utf8))
        #expect(index.files == ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"])
        #expect(index.totalBytes == 16_060_522_496)
    }

    @Test("Refuses what is no index", arguments: ["", "{}", "{\"weight_map\":{}}", "{\"weight_map\":{\"a\":1}}", "[]"])
    func noIndex(_ text: String) {
        #expect(throws: JSONSyntaxError.self) { try WeightIndex.parse([UInt8](text.utf8)) }
    }

    @Test("Reads an index of a hundred thousand tensors", .timeLimit(.minutes(1)))
    func large() throws {
        let entries = (0..<100_000).map {
            "\"model.layers.\($0).mlp.experts.1.down_proj.weight\": \"model-\($0 % 163).safetensors\""
        }
        let bytes = [UInt8]("{\"weight_map\":{\(entries.joined(separator: ","))}}".utf8)
        #expect(try WeightIndex.parse(bytes).files.count == 163)
    }
}
