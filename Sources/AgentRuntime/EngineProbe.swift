internal import AgentCore
internal import AgentWire
internal import Locking

/// Asks the engine over loopback: is it ours, is it healthy, does the model answer.
final class EngineProbe: Sendable {
    private struct Seen {
        var pids: [Int32] = []
        var at: BootInstant?
        var isHealthy = false
    }

    private static let observeWhileLoading = Duration.seconds(1)
    private static let observeWhileHealthy = Duration.seconds(30)

    private let settings: AgentSettings
    private let ports: AgentPorts
    private let logMeter: LogMeter
    private let gpus: GPUWatch
    private let seen = Mutex(Seen())

    init(settings: AgentSettings, ports: AgentPorts, logMeter: LogMeter, gpus: GPUWatch) {
        self.logMeter = logMeter
        self.gpus = gpus
        self.settings = settings
        self.ports = ports
    }

    /// What was seen of an earlier engine.
    func forget() { seen.withLock { $0 = Seen() } }

    private static let canaryTimeout = Duration.seconds(120)

    /// Loopback reaches an engine that listens everywhere.
    var base: String {
        let address = ["0.0.0.0", "::"].contains(settings.engineAddress) ? "127.0.0.1" : settings.engineAddress
        return "http://\(address.contains(":") ? "[\(address)]" : address):\(settings.enginePort)"
    }

    /// Health, and every second or so the engine's processes: they name the stretches the log is silent about. Once the
    /// engine turns out to be healthy, `knowingAll` is called before that is told.
    func run(_ inbox: Inbox, knowingAll: () async -> Void) async {
        let wasHealthy = isHealthy
        let answer = await health()
        if isHealthy, !wasHealthy { await knowingAll() }
        if let processes = observeNowAndThen() {
            inbox.send(.engineProcessesSeen(processes))
            if !processes.isEmpty { inbox.send(.engineMoved(vitals(of: processes))) }
        }
        inbox.send(.healthAnswered(answer))
    }

    /// Reading all of /proc costs milliseconds on a machine with many processes.
    private func observeNowAndThen() -> [EngineProcess]? {
        let now = ports.clocks.now()
        let isDue = seen.withLock { seen in
            let pause = seen.isHealthy ? Self.observeWhileHealthy : Self.observeWhileLoading
            if let last = seen.at, now - last < pause { return false }
            seen.at = now
            return true
        }
        return isDue ? observe() : nil
    }

    private func observe() -> [EngineProcess] {
        let processes = ports.engineHost.observe()
        seen.withLock { $0.pids = processes.map(\.pid) }
        return processes
    }

    private func vitals(of processes: [EngineProcess]) -> EngineVitals {
        EngineVitals(
            cpuTicks: Dictionary(processes.map { ($0.pid, $0.cpuTicks) }, uniquingKeysWith: max),
            diskBytes: processes.reduce(0) { $0 &+ $1.diskBytes }, logBytes: logMeter.bytes,
            traffic: ports.trafficMeter.traffic(of: processes.map(\.pid), servingPort: settings.enginePort),
            gpuBytes: gpus.usedBytes)
    }

    /// Whether `/health` was 200 when it was last asked for.
    var isHealthy: Bool { seen.withLock { $0.isHealthy } }

    private func health() async -> HealthAnswer {
        var request = HTTPRequest(.get, "\(base)/health", timeout: .seconds(2))
        request.maximumResponseBytes = 64 * 1024
        do {
            let response = try await ports.http.send(request)
            let isHealthy = response.status == 200
            seen.withLock { $0.isHealthy = isHealthy }
            switch owner() {
            case .ours: return isHealthy ? .healthy : .unhealthy(status: response.status)
            case .stranger(let listener): return .stranger(listener)
            // It answered and is not to be found: it ends, or it hides. Nothing to call ready.
            case .nobody: return .refused
            }
        } catch {
            seen.withLock { $0.isHealthy = false }
            return error.kind == .connect ? .refused : .silent
        }
    }

    private enum Owner {
        case ours
        case stranger(PortListener)
        case nobody
    }

    /// Whose process it is that listens on the engine's port. A stranger is looked at twice, with the engine's
    /// processes read anew: one that was born or died between two looks is none.
    private func owner() -> Owner {
        let port = settings.enginePort
        if ports.portInspector.listens(onTCPPort: port, anyOf: seen.withLock({ $0.pids })) { return .ours }
        for _ in 1...2 {
            let ours = observe().map(\.pid)
            if ports.portInspector.listens(onTCPPort: port, anyOf: ours) { return .ours }
        }
        return ports.portInspector.listeners(onTCPPort: port).first.map(Owner.stranger) ?? .nobody
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
