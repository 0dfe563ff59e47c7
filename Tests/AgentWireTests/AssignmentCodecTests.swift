internal import AgentCore
internal import AgentWire
internal import Testing

@Suite struct AssignmentCodecTests {
    private static let store = """
        "r2":{"endpoint":"https://a.r2.cloudflarestorage.com","bucket":"models","access_key_id":"k","secret_access_key":"s"}
        """

    private func decode(
        _ fields: String, defaults: AssignmentDefaults = AssignmentDefaults()
    ) throws(AssignmentRejection) -> Assignment {
        try AssignmentCodec.decode([UInt8]("{\(fields)}".utf8), defaults: defaults)
    }

    private func faults(_ fields: String) -> [String] {
        do throws(AssignmentRejection) {
            _ = try decode(fields)
            return []
        } catch {
            return error.faults.map(\.field)
        }
    }

    @Test("What the assignment leaves out has the documents' defaults")
    func documentDefaults() throws {
        let assignment = try decode(
            #""generation":3,"model":"acme/tiny","model_uri":"s3://models/acme/tiny","# + Self.store)
        #expect(assignment.useRunaiStreamer)
        #expect(assignment.streamerConcurrency == 32)
        #expect(assignment.streamerMemoryLimit == 5_368_709_120)
        #expect(assignment.gpuMemoryUtilization == 0.95)
        #expect(assignment.dtype == "bfloat16")
        #expect(assignment.tensorParallelSize == 1)
    }

    @Test("The node's own settings stand in for what the assignment leaves out, and only for that")
    func nodeDefaults() throws {
        var defaults = AssignmentDefaults()
        defaults.streamerConcurrency = 48
        defaults.gpuMemoryUtilization = 0.8
        defaults.store = ObjectStore(
            endpoint: "http://127.0.0.1:9000", bucket: "b", accessKeyID: Secret("k"), secretAccessKey: Secret("s"))
        let assignment = try decode(
            #""generation":1,"model":"m","model_uri":"s3://b/m","gpu_memory_utilization":0.5"#, defaults: defaults)
        #expect(assignment.streamerConcurrency == 48)
        #expect(assignment.gpuMemoryUtilization == 0.5)
        #expect(assignment.store.endpoint == "http://127.0.0.1:9000")
    }

    @Test("Every bad field is named, not only the first")
    func everyFault() {
        let fields = faults(
            """
            "generation":0,"model":"../etc","model_uri":"https://x","gpu_count":0,"streamer_concurrency":"many",
            "streamer_memory_limit":-2,"gpu_memory_utilization":1.5,"dtype":"int4","extra_args":["--port","1"],
            "callback_url":"ftp://x","r2":{"endpoint":"nope","bucket":""}
            """)
        #expect(
            Set(fields) == [
                "generation", "model", "model_uri", "gpu_count", "streamer_concurrency", "streamer_memory_limit",
                "gpu_memory_utilization", "dtype", "extra_args[0]", "callback_url", "r2.endpoint", "r2.bucket",
                "r2.access_key_id", "r2.secret_access_key",
            ])
    }

    @Test(
        "Arguments that would leak or override are refused",
        arguments: [
            "--api-key=x", "--api_key", "--hf-token", "--served-model-name", "-tp", "--config",
        ])
    func reservedArguments(argument: String) {
        let fields = faults(
            #""generation":1,"model":"m","model_uri":"s3://b/m","extra_args":["\#(argument)"],"# + Self.store)
        #expect(fields == ["extra_args[0]"])
    }

    @Test("No fault ever repeats a secret")
    func faultsKeepSecrets() {
        let secret = "canary\u{7}secret"
        do throws(AssignmentRejection) {
            _ = try decode(
                #""generation":1,"model":"m","model_uri":"s3://b/m","r2":{"endpoint":"https://a","bucket":"b","#
                    + #""access_key_id":"k","secret_access_key":"canary\u0007secret"}"#)
            Issue.record("a control character in a credential was accepted")
        } catch {
            #expect(!error.faults.contains { $0.problem.contains(secret) || $0.problem.contains("canary") })
        }
    }

    @Test(
        "What is no JSON is said in words",
        arguments: [
            ("<html>", "HTML"), ("", "empty"), (#"{"generation":1"#, "not valid JSON"), ("[1]", "must be an object"),
        ])
    func notJSON(body: String, words: String) {
        do throws(AssignmentRejection) {
            _ = try AssignmentCodec.decode([UInt8](body.utf8), defaults: AssignmentDefaults())
            Issue.record("accepted \(body)")
        } catch {
            #expect(error.faults.first?.field == "body")
            #expect(error.faults.first?.problem.contains(words) == true)
        }
    }

    @Test("A hundred thousand brackets are refused, not a stack overflow")
    func depth() {
        let body = [UInt8](repeating: UInt8(ascii: "["), count: 100_000)
        #expect(throws: AssignmentRejection.self) {
            try AssignmentCodec.decode(body, defaults: AssignmentDefaults())
        }
    }
}
