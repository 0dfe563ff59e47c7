internal import AgentCore
internal import AgentWire

/// Asks the engine over loopback: is it ours, is it healthy, does the model answer.
struct EngineProbe: Sendable {
    let settings: AgentSettings
    let ports: AgentPorts

    private static let canaryTimeout = Duration.seconds(120)

    /// Loopback reaches an engine that listens everywhere.
    private var base: String {
        let address = ["0.0.0.0", "::"].contains(settings.engineAddress) ? "127.0.0.1" : settings.engineAddress
        return "http://\(address.contains(":") ? "[\(address)]" : address):\(settings.enginePort)"
    }

    func health() async -> HealthAnswer {
        var request = HTTPRequest(.get, "\(base)/health", timeout: .seconds(2))
        request.maximumResponseBytes = 64 * 1024
        do {
            let response = try await ports.http.send(request)
            if let stranger = stranger() { return .stranger(stranger) }
            return response.status == 200 ? .healthy : .unhealthy(status: response.status)
        } catch {
            return error.kind == .connect ? .refused : .silent
        }
    }

    /// A listener on the engine's port that is no process of the engine.
    private func stranger() -> PortListener? {
        let ours = Set(ports.engineHost.observe().map(\.pid))
        return ports.portInspector.listeners(onTCPPort: settings.enginePort)
            .first { listener in listener.pid.map { !ours.contains($0) } ?? true }
    }

    /// One token, greedy. The text may be empty; a counted token is the proof.
    func canary(model: String) async -> NodeEvent {
        var request = HTTPRequest(.post, "\(base)/v1/completions", timeout: Self.canaryTimeout)
        request.headers = [("Content-Type", Secret("application/json"))]
        if let key = settings.environment["VLLM_API_KEY"] {
            request.headers.append(("Authorization", Secret("Bearer \(key)")))
        }
        request.body = JSONValue.object([
            "model": .string(model), "prompt": .string("Hello"), "max_tokens": .integer(1), "temperature": .integer(0),
        ]).rendered()
        let start = ports.clocks.now()
        do {
            let response = try await ports.http.send(request)
            if let problem = Self.problem(response) { return .canaryFailed(reason: problem) }
            return .canaryAnswered(took: ports.clocks.now() - start)
        } catch {
            return .canaryFailed(reason: "\(error.kind.rawValue): \(error.message)")
        }
    }

    static func problem(_ response: HTTPResponse) -> String? {
        guard response.status == 200 else {
            let text = String(decoding: response.body.prefix(256), as: UTF8.self)
            return "status \(response.status): \(text)"
        }
        guard let answer = try? JSONValue.parse(response.body) else { return "status 200, but the body is not JSON" }
        guard let choices = answer["choices"]?.arrayValue, !choices.isEmpty,
            let tokens = answer["usage"]?["completion_tokens"]?.integerValue, tokens >= 1
        else { return "status 200, but no token was generated" }
        return nil
    }
}
