internal import AgentCore
internal import AgentRuntime
internal import AgentTestKit
internal import AgentWire
internal import Locking

/// An agent with stand-ins at every port, and a control plane and an engine that answer what the test says.
final class AgentRig: Sendable {
    let host = StandInEngineHost()
    let files = InMemoryFileStore(executables: ["/opt/vllm/bin/vllm"])
    let models = InMemoryModels()
    let service = RecordingServiceManager()
    let inspector = StandInPortInspector()
    let log = CollectingLog()
    let view = NodeView()
    let events: AsyncStream<JSONValue>
    private let received: AsyncStream<JSONValue>.Continuation
    private let assignments = Mutex<[HTTPResponse]>([])
    private let health = Mutex<Int?>(nil)
    private let canary = Mutex<HTTPResponse>(.answer(200, #"{"choices":[{}],"usage":{"completion_tokens":1}}"#))

    init(assignments: [HTTPResponse] = [.answer(200, AgentRig.assignment())]) {
        (events, received) = AsyncStream.makeStream()
        self.assignments.withLock { $0 = assignments }
    }

    func setHealth(_ status: Int?) { health.withLock { $0 = status } }
    func setCanary(_ response: HTTPResponse) { canary.withLock { $0 = response } }

    static func assignment(generation: Int = 1, secret: String = "canary-secret") -> String {
        """
        {"generation":\(generation),"model":"acme/tiny-llama","model_uri":"s3://models/acme/tiny-llama",
        "r2":{"endpoint":"http://127.0.0.1:9000","bucket":"models","access_key_id":"canary-key",
        "secret_access_key":"\(secret)"}}
        """
    }

    /// Runs the agent until it ends by itself; `body` sees it from outside and asks it to stop.
    func run(_ body: @Sendable (_ stop: @Sendable () -> Void) async throws -> Void) async throws {
        let settings = try AgentSettings.sample()
        let http = ScriptedHTTPClient { [self] request async throws(HTTPFailure) in try await answer(request) }
        let ports = AgentPorts(
            engineHost: host, engineLog: SilentEngineLog(), http: http, files: files,
            fetcher: models, models: models, serviceManager: service,
            portInspector: inspector, trafficMeter: BlindTrafficMeter(), clocks: SteppingClocks(),
            random: CountingRandom(), signer: FixedSigner(), log: log)
        let agent = Agent(settings: settings, ports: ports, version: "test", view: view)
        let (requests, request) = AsyncStream<Agent.Request>.makeStream()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { _ = await agent.run(requests: requests, standing: []) }
            try await body { request.yield(.stop) }
            try await group.waitForAll()
        }
    }

    private func answer(_ request: HTTPRequest) async throws(HTTPFailure) -> HTTPResponse {
        if request.url.contains("/assignment") {
            guard let next = assignments.withLock({ $0.isEmpty ? nil : $0.removeFirst() }) else {
                return try await neverAnswers()
            }
            return next
        }
        if request.url.hasSuffix("/events") {
            if let body = request.body, let event = try? JSONValue.parse(body) { received.yield(event) }
            return .answer(202)
        }
        if request.url.hasSuffix("/health") {
            guard let status = health.withLock({ $0 }) else { throw HTTPFailure(.connect, "refused") }
            return .answer(status)
        }
        return canary.withLock { $0 }
    }
}

extension JSONValue {
    /// `ready` of `io.crosslogic.node.ready.v1`.
    var eventName: String? { self["type"]?.stringValue?.split(separator: ".").dropLast().last.map(String.init) }
}

extension AsyncStream where Element: Sendable {
    /// The first element that fits; the test's time limit bounds the wait.
    func first(where fits: (Element) -> Bool) async -> Element? {
        for await element in self where fits(element) { return element }
        return nil
    }
}
