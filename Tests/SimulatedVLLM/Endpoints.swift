/// What the endpoints of 0.32.0 answer. Completions are made by `Generation`, token by token.
struct Endpoints {
    var arguments: ServeArguments
    var behaviour: Behaviour
    var startedAt: Double
    var completed = 0
    var generatedTokens = 0

    /// nil: never answer.
    func answer(_ request: HTTPRequest, engineDead: Bool, running: Int) -> HTTPResponse? {
        switch (request.method, request.path) {
        case ("GET", "/health"), ("GET", "/ping"): return health(engineDead: engineDead)
        case ("GET", "/version"): return .json("{\"version\":\"0.32.0\",\"simulated\":true}")
        case ("GET", "/v1/models"): return models()
        case ("GET", "/metrics"): return metrics(running: running)
        // As vLLM does: the endpoint is there in any case.
        case ("GET", "/load"): return .json("{\"server_load\":\(arguments.tracksLoad ? running : 0)}")
        case (_, "/health"), (_, "/version"), (_, "/v1/models"), (_, "/metrics"), (_, "/v1/completions"):
            return .json("{\"detail\":\"Method Not Allowed\"}", status: 405)
        default: return .json("{\"detail\":\"Not Found\"}", status: 404)
        }
    }

    private func health(engineDead: Bool) -> HTTPResponse? {
        if engineDead { return .json("", status: 503) }
        switch behaviour.health {
        case .normal: return .json("")
        case .status(let status): return .json("", status: status)
        case .hang: return nil
        }
    }

    private func models() -> HTTPResponse {
        let name = JSONText.quoted(arguments.servedModel)
        let root = JSONText.quoted(arguments.modelURI)
        return .json(
            """
            {"object":"list","data":[{"id":\(name),"object":"model","created":0,"owned_by":"vllm","root":\(root),\
            "parent":null,"max_model_len":\(arguments.maxModelLength),"permission":[]}]}
            """)
    }

    private func metrics(running: Int) -> HTTPResponse {
        let text = requestMetrics + (arguments.logStats ? engineMetrics(running: running) : "")
        return HTTPResponse(status: 200, contentType: "text/plain; version=0.0.4; charset=utf-8", body: text)
    }

    private var requestMetrics: String {
        guard completed > 0 else { return "" }
        return """
            # HELP http_requests_total Total number of requests by method, status and handler.
            # TYPE http_requests_total counter
            http_requests_total{handler="/v1/completions",method="POST",status="2xx"} \(Double(completed))

            """
    }

    private func engineMetrics(running: Int) -> String {
        let labels = "{engine=\"0\",model_name=\(JSONText.quoted(arguments.servedModel))}"
        return """
            # HELP vllm:num_requests_running Number of requests in model execution batches.
            # TYPE vllm:num_requests_running gauge
            vllm:num_requests_running\(labels) \(Double(running))
            # HELP vllm:num_requests_waiting Number of requests waiting to be processed.
            # TYPE vllm:num_requests_waiting gauge
            vllm:num_requests_waiting\(labels) 0.0
            # HELP vllm:kv_cache_usage_perc KV-cache usage. 1 means 100 percent usage.
            # TYPE vllm:kv_cache_usage_perc gauge
            vllm:kv_cache_usage_perc\(labels) 0.0
            # HELP vllm:generation_tokens_total Number of generation tokens processed.
            # TYPE vllm:generation_tokens_total counter
            vllm:generation_tokens_total\(labels) \(Double(generatedTokens))
            # HELP vllm:request_success_total Count of successfully processed requests.
            # TYPE vllm:request_success_total counter
            vllm:request_success_total\(labels.dropLast()),finished_reason="length"} \(Double(completed))

            """
    }
}
