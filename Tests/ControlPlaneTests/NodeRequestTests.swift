internal import AgentWire
internal import ControlPlane
internal import Testing

@Suite("The body of POST and PUT /api/v1/nodes")
struct NodeRequestTests {
    private func read(_ json: String, bucket: String? = "models") throws -> NodeRequest {
        try NodeRequest(JSONValue.parse(Array(json.utf8)), bucket: bucket)
    }

    private func badFields(_ json: String, bucket: String? = "models") throws -> [String] {
        let body = try JSONValue.parse(Array(json.utf8))
        do {
            _ = try NodeRequest(body, bucket: bucket)
            return []
        } catch {
            return error.faults.map(\.field)
        }
    }

    @Test("keeps the documents' request as it is and points the model at the bucket")
    func documents() throws {
        let request = try read(Client.request)
        #expect(request.document["streamer_memory_limit"] == .integer(5_368_709_120))
        #expect(request.document["gpu_memory_utilization"] == .number(0.95))
        #expect(request.document["model_uri"] == .string("s3://models/meta-llama/Llama-3-8B-Instruct"))
    }

    @Test("names every bad field at once")
    func everyBadField() throws {
        let fields = try badFields(
            """
            {"provider":1,"region":"","gpu":{},"gpu_count":65,"model":"../../etc/passwd","use_spot":"yes",
             "streamer_concurrency":0,"streamer_memory_limit":-2,"gpu_memory_utilization":0,"dtype":"int4",
             "use_runai_streamer":1,"tensor_parallel_size":1.5,"max_model_len":0,"extra_args":["--a",2],
             "vllm_version":[],"model_uri":"http://elsewhere/x","callback_url":"ftp://host/x","callback_secret":5}
            """)
        #expect(
            Set(fields) == [
                "provider", "region", "gpu", "gpu_count", "model", "use_spot", "streamer_concurrency",
                "streamer_memory_limit", "gpu_memory_utilization", "dtype", "use_runai_streamer",
                "tensor_parallel_size", "max_model_len", "extra_args[1]", "vllm_version", "model_uri", "callback_url",
                "callback_secret",
            ])
    }

    @Test(
        "refuses one bad value",
        arguments: [
            (#"{}"#, "model"),
            (#"[]"#, "body"),
            (#"{"model":"/etc/passwd"}"#, "model"),
            (#"{"model":"a//b"}"#, "model"),
            (#"{"model":"a b"}"#, "model"),
            (#"{"model":"m","gpu_memory_utilization":1.01}"#, "gpu_memory_utilization"),
            (#"{"model":"m","streamer_concurrency":1025}"#, "streamer_concurrency"),
            (#"{"model":"m","model_uri":"s3://bucket-only"}"#, "model_uri"),
            (#"{"model":"m","callback_url":"https://user:password@host/"}"#, "callback_url"),
            (#"{"model":"m","gpu_count":1,"tensor_parallel_size":2}"#, "tensor_parallel_size"),
            (#"{"model":"m","r2":{"secret_access_key":"x"}}"#, "r2"),
        ])
    func oneBadField(body: String, field: String) throws {
        #expect(try Set(badFields(body)).contains(field))
    }

    @Test("accepts every optional field")
    func optionalFields() throws {
        let request = try read(
            """
            {"model":"m","use_runai_streamer":true,"dtype":"float16","gpu_count":4,"tensor_parallel_size":4,
             "max_model_len":8192,"extra_args":["--enforce-eager"],"vllm_version":"0.22.1",
             "model_uri":"s3://other/prefix","callback_url":"https://host/hook","callback_secret":"whsec_x"}
            """)
        #expect(request.document["model_uri"] == .string("s3://other/prefix"))
        #expect(request.callbackSecret?.reveal() == "whsec_x")
        #expect(request.document["callback_secret"] == nil)
    }

    @Test("takes null for absent and keeps fields it does not know")
    func unknownFields() throws {
        let request = try read(#"{"model":"m","dtype":null,"future":{"a":[1]}}"#)
        #expect(request.document["dtype"] == nil)
        #expect(request.document["future"]?["a"] == .array([.integer(1)]))
    }

    @Test("needs a model_uri where there is no bucket to derive it from")
    func withoutBucket() throws {
        #expect(try badFields(#"{"model":"m"}"#, bucket: nil) == ["model_uri"])
        #expect(try badFields(#"{"model":"m","model_uri":"s3://b/m"}"#, bucket: nil) == [])
    }
}
