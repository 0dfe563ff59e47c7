internal import AgentCore
internal import AgentWire

/// How many requests the engine works on.
struct RequestCounter: Sendable {
    /// On loopback an answer takes milliseconds; a notice does not wait for an engine that is too busy to say.
    private static let patience = Duration.milliseconds(250)
    private static let running = "vllm:num_requests_running"
    private static let waiting = "vllm:num_requests_waiting"

    let base: String
    /// vLLM has `/load` always; what does not count there says zero, which would end requests in flight.
    let tracksLoad: Bool
    let http: any HTTPClient

    /// nil where the engine does not say: it is unknown then, and never zero.
    func count() async -> Int? {
        if tracksLoad, let load = await get("/load"), let document = try? JSONValue.parse(load),
            let count = document["server_load"]?.integerValue
        {
            return Int(clamping: max(0, count))
        }
        guard let text = await get("/metrics") else { return nil }
        return Self.parse(metrics: text)
    }

    private func get(_ path: String) async -> [UInt8]? {
        var request = HTTPRequest(.get, base + path, timeout: Self.patience)
        request.maximumResponseBytes = 4 << 20
        guard let response = try? await http.send(request), response.status == 200 else { return nil }
        return response.body
    }

    /// Sums over engines; nil where the family is not there (`--disable-log-stats`).
    static func parse(metrics bytes: [UInt8]) -> Int? {
        var sum: Double?
        for line in bytes.split(separator: 0x0A) {
            guard line.starts(with: running.utf8) || line.starts(with: waiting.utf8) else { continue }
            // `vllm:num_requests_waiting_by_reason` says the same again.
            let rest = line.dropFirst(running.utf8.count)
            guard rest.first == UInt8(ascii: "{") || rest.first == 0x20, let blank = line.lastIndex(of: 0x20),
                let value = Double(String(decoding: line[(blank + 1)...], as: UTF8.self)), value.isFinite, value >= 0
            else { continue }
            sum = (sum ?? 0) + value
        }
        return sum.map { Int($0) }
    }
}
