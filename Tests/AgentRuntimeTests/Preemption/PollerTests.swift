internal import AgentCore
internal import AgentTestKit
internal import AgentWire
internal import Testing

@testable internal import AgentRuntime

@Suite(.timeLimit(.minutes(1))) struct PollerTests {
    /// Asks once, and tells what became of it.
    private struct OneQuestion: MetadataSource {
        let name = "one"
        var query: MetadataQuery
        var isAsked = false

        mutating func next(at now: BootInstant) -> MetadataStep {
            defer { isAsked = true }
            return isAsked ? .wait(until: now + .seconds(60)) : .ask(query)
        }

        mutating func take(_ answer: MetadataAnswer) -> [SourceFinding] {
            switch answer {
            case .failed(let reason, _): [.failed(reason: reason)]
            case .response(let response): [.listed(key: "\(response.status)", [])]
            }
        }
    }

    private static func finding(of http: ScriptedHTTPClient, timeout: Duration = .seconds(1)) async -> SourceFinding? {
        let (inbox, arrivals) = Inbox.make(clocks: SteppingClocks())
        let poller = MetadataPoller(http: http, clocks: SteppingClocks(), inbox: inbox, approvals: NoticeApprovals())
        var query = MetadataQuery("http://169.254.169.254/latest")
        query.timeout = timeout
        query.headers = ["X-Token": "secret"]
        let source = OneQuestion(query: query)
        return await withTaskGroup(of: SourceFinding?.self) { group in
            group.addTask {
                await poller.run(source)
                return nil
            }
            group.addTask {
                for await arrival in arrivals {
                    guard case .event(.preemption(.found(let finding, source: "one"))) = arrival.matter else {
                        continue
                    }
                    if finding != .begun { return finding }
                }
                return nil
            }
            let first = await group.next() ?? nil
            group.cancelAll()
            return first
        }
    }

    @Test("No question ever goes through a proxy, and each is bounded in time and size")
    func bounded() async throws {
        let http = ScriptedHTTPClient { _ async throws(HTTPFailure) in .answer(200) }
        #expect(await Self.finding(of: http) == .listed(key: "200", []))
        let request = try #require(await http.requests.first { _ in true })
        #expect(!request.mayUseProxy)
        #expect(request.timeout == .seconds(1))
        #expect(request.maximumResponseBytes <= 64 << 10)
    }

    @Test("A client that never comes back is not waited for")
    func hungClient() async throws {
        let http = ScriptedHTTPClient { _ async throws(HTTPFailure) in try await neverAnswers() }
        let finding = try #require(await Self.finding(of: http, timeout: .milliseconds(50)))
        guard case .failed = finding else {
            Issue.record("a finding without an answer")
            return
        }
    }

    @Test("An answer that is too large is no answer")
    func tooLarge() async throws {
        let http = ScriptedHTTPClient { _ async throws(HTTPFailure) in throw HTTPFailure(.tooLarge, "10 MB") }
        #expect(await Self.finding(of: http) == .failed(reason: "tooLarge: 10 MB"))
    }
}

@Suite struct RequestCounterTests {
    @Test("Running and waiting requests of all engines, and nothing else")
    func sums() {
        let text = """
            # HELP vllm:num_requests_running Number of requests.
            # TYPE vllm:num_requests_running gauge
            vllm:num_requests_running{engine="0",model_name="a b"} 2.0
            vllm:num_requests_running{engine="1",model_name="a b"} 1.0
            vllm:num_requests_waiting{engine="0",model_name="a b"} 4.0
            vllm:num_requests_waiting_by_reason{engine="0",reason="capacity"} 4.0
            """
        #expect(RequestCounter.parse(metrics: [UInt8](text.utf8)) == 7)
    }

    @Test(
        "Unknown is unknown and not zero", arguments: ["", "http_requests_total 3.0", "vllm:num_requests_running NaN"])
    func unknown(text: String) {
        #expect(RequestCounter.parse(metrics: [UInt8](text.utf8)) == nil)
    }

    @Test("What the engine itself counts comes first")
    func load() async {
        let http = ScriptedHTTPClient { request async throws(HTTPFailure) in
            request.url.hasSuffix("/load") ? .answer(200, #"{"server_load":5}"#) : .answer(404)
        }
        #expect(await RequestCounter(base: "http://127.0.0.1:1", tracksLoad: true, http: http).count() == 5)
    }

    @Test("An engine that does not track its load says zero there, whatever it does", arguments: [nil, 3])
    func untracked(running: Int?) async {
        let http = ScriptedHTTPClient { request async throws(HTTPFailure) in
            if request.url.hasSuffix("/load") { return .answer(200, #"{"server_load":0}"#) }
            return .answer(200, running.map { "vllm:num_requests_running \($0).0" } ?? "# statistics are off")
        }
        #expect(await RequestCounter(base: "http://127.0.0.1:1", tracksLoad: false, http: http).count() == running)
    }
}

@Suite struct NoticeStoreTests {
    private static let notice = Notice(
        id: "aws/x", kind: .terminate, source: "aws", firstSeenAt: BootInstant(nanoseconds: 1),
        deadline: BootInstant(nanoseconds: 2), word: "")

    @Test("A successor finds what was kept, and nothing once it is forgotten")
    func keeps() async throws {
        let files = InMemoryFileStore()
        let http = ScriptedHTTPClient { _ async throws(HTTPFailure) in .answer(404) }
        let ports = AgentPorts.standIns(http: http, files: files)
        let settings = try AgentSettings.sample()
        let store = NoticeStore(settings: settings, ports: ports)
        #expect(store.recover() == nil)
        store.persist(Self.notice, isOver: true)
        await store.settle()
        let found = NoticeStore(settings: settings, ports: ports).recover()
        #expect(found?.notice == Self.notice)
        #expect(found?.isOver == true)
        store.forget()
        await store.settle()
        #expect(NoticeStore(settings: settings, ports: ports).recover() == nil)
    }
}
