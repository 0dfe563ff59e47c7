internal import AgentWire
internal import Testing

@Suite("The engine launcher's record of imports")
struct ImportedModulesTests {
    @Test("Names in their order, the engine's first")
    func names() {
        let text = #"{"format": 1, "vllm": "0", "command": ["vllm", "fastapi"], "engine": ["vllm", "torch"]}"#
        #expect(ImportedModules.names(Array(text.utf8)) == ["vllm", "torch", "vllm", "fastapi"])
    }

    @Test(
        "What is no such record has none",
        arguments: ["", "[]", #"{"engine": ["torch"]}"#, #"{"format": 2, "engine": ["torch"]}"#, #"{"format": 1}"#])
    func nonsense(_ text: String) {
        #expect(ImportedModules.names(Array(text.utf8)).isEmpty)
    }

    @Test("What is no name is left out")
    func strangers() {
        let text = #"{"format": 1, "engine": ["a", 7, null, ["b"]], "command": {}}"#
        #expect(ImportedModules.names(Array(text.utf8)) == ["a"])
    }
}
