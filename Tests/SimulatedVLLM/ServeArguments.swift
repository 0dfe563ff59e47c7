/// The command line of `vllm serve`, as far as a stand-in needs it.
struct ServeArguments {
    var modelURI: String
    var servedModel: String
    var host = "0.0.0.0"
    var port: UInt16 = 8000
    /// Seconds that requests in flight are given after SIGTERM (`--shutdown-timeout`).
    var shutdownTimeout = 0.0
    var maxModelLength = 1024
    /// `--disable-log-stats`: no metrics of vLLM's own either.
    var logStats = true
    /// `--enable-server-load-tracking`: `/load` counts.
    var tracksLoad = false

    /// Arguments after `serve`. Throws what the real one prints before it exits with code 2.
    init(_ words: [String]) throws(UsageError) {
        var model: String?
        var values: [String: String] = [:]
        var unknown: [String] = []
        var rest = words[...]
        while let word = rest.popFirst() {
            guard word.hasPrefix("-") else {
                if model == nil { model = word } else { unknown.append(word) }
                continue
            }
            let parts = word.split(separator: "=", maxSplits: 1).map(String.init)
            if ServeFlags.withValue.contains(parts[0]) {
                guard let value = parts.count == 2 ? parts[1] : rest.popFirst() else {
                    throw UsageError("vllm serve: error: argument \(word): expected one argument")
                }
                values[parts[0]] = value
            } else if !Self.isSwitch(word) {
                unknown.append(word)
            }
        }
        guard unknown.isEmpty else {
            throw UsageError("vllm: error: unrecognized arguments: \(unknown.joined(separator: " "))")
        }
        logStats = !words.contains("--disable-log-stats")
        tracksLoad = words.contains("--enable-server-load-tracking")
        modelURI = model ?? values["--model"] ?? "Qwen/Qwen3-0.6B"
        servedModel = values["--served-model-name"] ?? modelURI
        try take(values)
    }

    private mutating func take(_ values: [String: String]) throws(UsageError) {
        host = values["--host"] ?? host
        port = try Self.number(values, "--port", "int") ?? port
        shutdownTimeout = try Self.number(values, "--shutdown-timeout", "int") ?? shutdownTimeout
        maxModelLength = try Self.number(values, "--max-model-len", "human_readable_int_or_auto") ?? maxModelLength
        for name in ["--model-loader-extra-config", "--compilation-config"] {
            guard let value = values[name], !value.hasPrefix("{\""), value != "{}" else { continue }
            throw UsageError("vllm serve: error: argument \(name): Value \(value) cannot be converted to <json>.")
        }
    }

    private static func number<Number: LosslessStringConvertible>(
        _ values: [String: String], _ name: String, _ type: String
    ) throws(UsageError) -> Number? {
        guard let text = values[name] else { return nil }
        guard let number = Number(text) else {
            throw UsageError("vllm serve: error: argument \(name): invalid \(type) value: '\(text)'")
        }
        return number
    }

    private static func isSwitch(_ word: String) -> Bool {
        if ServeFlags.switches.contains(word) || ServeFlags.negatableSwitches.contains(word) { return true }
        return word.hasPrefix("--no-") && ServeFlags.negatableSwitches.contains("--" + word.dropFirst(5))
    }
}

struct UsageError: Error {
    var message: String

    init(_ message: String) {
        self.message = message
    }
}
