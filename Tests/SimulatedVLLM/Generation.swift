/// One completion on its way, a token at a time.
struct Generation {
    static let engineDead = "EngineCore encountered an issue. See stack trace (above) for the root cause."

    var connection: Int32
    var keepAlive: Bool
    private var model: String
    private var stream: Bool
    private var wanted: Int
    private var promptTokens: Int
    private var made = 0
    private var nextAt: Double
    private let secondsPerToken: Double
    private let id: String

    init(_ request: HTTPRequest, connection: Int32, model: String, number: Int, now: Double, secondsPerToken: Double) {
        self.connection = connection
        self.model = model
        self.secondsPerToken = secondsPerToken
        keepAlive = request.keepAlive
        stream = JSONText.member("stream", of: request.body) == "true"
        wanted = max(1, JSONText.member("max_tokens", of: request.body).flatMap { Int($0) } ?? 16)
        promptTokens = max(1, (JSONText.member("prompt", of: request.body) ?? "").split(separator: " ").count)
        nextAt = now + secondsPerToken
        id = "cmpl-simulated-\(number)"
    }

    var isDone: Bool { made >= wanted }
    var tokens: Int { made }

    /// Bytes sent before the first token.
    var opening: [UInt8] {
        guard stream else { return [] }
        return Array(
            """
            HTTP/1.1 200 OK\r
            server: simulated-vllm\r
            content-type: text/event-stream; charset=utf-8\r
            connection: close\r
            \r

            """.utf8)
    }

    /// What is due by now.
    mutating func advance(now: Double) -> [UInt8] {
        var bytes: [UInt8] = []
        while !isDone, nextAt <= now {
            made += 1
            nextAt += secondsPerToken
            if stream { bytes += event(choice(Self.word(made), finished: isDone)) }
        }
        if isDone { bytes += closing() }
        return bytes
    }

    /// The engine died or was stopped under it: a stream ends with an error inside a well-formed 200.
    func aborted() -> [UInt8] {
        let error = HTTPResponse.error(500, Self.engineDead, type: "InternalServerError")
        guard stream else { return error.rendered(keepAlive: false) }
        return event(error.body) + Array("data: [DONE]\n\n".utf8)
    }

    var closesConnection: Bool { stream || !keepAlive }

    private func closing() -> [UInt8] {
        if stream { return Array("data: [DONE]\n\n".utf8) }
        let text = (1...made).map(Self.word).joined()
        let usage = """
            "usage":{"prompt_tokens":\(promptTokens),"total_tokens":\(promptTokens + made),"completion_tokens":\(made)}
            """
        let body = choice(text, finished: true).dropLast() + "," + usage + "}"
        return HTTPResponse.json(String(body)).rendered(keepAlive: keepAlive)
    }

    private func choice(_ text: String, finished: Bool) -> String {
        """
        {"id":"\(id)","object":"text_completion","created":0,"model":\(JSONText.quoted(model)),"choices":[{"index":0,\
        "text":\(JSONText.quoted(text)),"logprobs":null,"finish_reason":\(finished ? "\"length\"" : "null")}]}
        """
    }

    private func event(_ json: String) -> [UInt8] {
        Array("data: \(json)\n\n".utf8)
    }

    private static func word(_ number: Int) -> String {
        let words = [" this", " text", " is", " simulated", ","]
        return words[(number - 1) % words.count]
    }
}
