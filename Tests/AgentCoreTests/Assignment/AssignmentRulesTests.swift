internal import AgentCore
internal import Testing

@Suite struct AssignmentRulesTests {
    @Test(
        "A reserved flag is found however it is spelled",
        arguments: [
            "--port", "--port=9", "--api_key=x", "--model-loader-extra-config.concurrency=64",
            "--model_loader_extra_config.memory_limit", "-tp=2", "--ssl-keyfile", "--ssl_certfile=x", "--ssl-ca-certs",
        ])
    func reserved(argument: String) {
        #expect(AssignmentRules.extraArguments(["--enforce-eager", argument]).map(\.index) == [1])
    }

    @Test("Flags that only look like reserved ones are not", arguments: ["--portal", "--hf-overrides.port=1", "--ssl"])
    func free(argument: String) {
        #expect(AssignmentRules.extraArguments([argument]).isEmpty)
    }
}
