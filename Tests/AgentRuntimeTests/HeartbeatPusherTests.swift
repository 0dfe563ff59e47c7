internal import AgentCore
internal import AgentTestKit
internal import AgentWire
internal import Testing

@testable internal import AgentRuntime

@Suite(.timeLimit(.minutes(1))) struct HeartbeatPusherTests {
    @Test(
        "The control plane says when the next one is due, within reason; a fleet is spread around that",
        arguments: [
            (200, #"{"next_in_s":20}"#, 20.0), (202, #"{"next_in_s":1}"#, 1), (200, #"{"next_in_s":0}"#, 15),
            (200, #"{"next_in_s":-3}"#, 15), (200, #"{"next_in_s":999999999999}"#, 15), (200, "", 15), (204, "", 15),
            (200, #"{"next_in_s":"soon"}"#, 15), (404, "", 600), (405, "", 600),
        ])
    func rest(status: Int, body: String, seconds: Double) {
        let answer = HTTPResponse.answer(status, body)
        #expect(rest(after: answer, 0.5) == .seconds(seconds))
        #expect(rest(after: answer, 0) == .seconds(seconds) * 0.9)
    }

    @Test("After trouble the next one is as far away as after any, or further where Retry-After says so")
    func restAfterTrouble() {
        for answer in [HTTPResponse.answer(503), nil] { #expect(rest(after: answer, 0.5) == .seconds(15)) }
        let asked = HTTPResponse.answer(429, headers: ["retry-after": "40"])
        #expect(rest(after: asked, 0) == .seconds(40))
    }

    private func rest(after answer: HTTPResponse?, _ fraction: Double) -> Duration {
        var pace = PushPace()
        return HeartbeatPusher.rest(after: answer, usual: .seconds(15), &pace, fraction: fraction)
    }

    @Test("What is pushed is what is polled, with the node's token")
    func pushed() async throws {
        let http = ScriptedHTTPClient { _ throws(HTTPFailure) in .answer(200, #"{"next_in_s":60}"#) }
        let pusher = try pusher(.asked, asked: "20", http)
        let request = await withTaskGroup(of: Void.self) { group in
            group.addTask { await pusher.run() }
            let first = await http.requests.first { _ in true }
            group.cancelAll()
            return first
        }
        #expect(request?.method == .put)
        #expect(request?.url == "http://control.test/api/v1/nodes/node-1/heartbeat")
        #expect(request?.headers.first?.value.reveal() == "Bearer token")
        let document = try JSONValue.parse(try #require(request?.body))
        #expect(document["node_id"] == .string("node-1"))
        #expect(document["schema"] == .integer(1))
    }

    @Test("Heartbeats that are not taken are said once, and once that they are again")
    func trouble() {
        var news = HeartbeatNews()
        #expect(news.note(.success(.answer(200))) == nil)
        let first = news.note(.failure(HTTPFailure(.tls, "not the one")))
        #expect(first?.level == .warning)
        #expect(first?.text.contains("not the one") == true)
        #expect(news.note(.success(.answer(401))) == nil)
        #expect(news.note(.success(.answer(204)))?.text == "heartbeats are taken again")
        #expect(news.note(.success(.answer(200))) == nil)
    }

    @Test("A node that the control plane does not let in says so", arguments: [401, 404, 503])
    func refused(status: Int) async throws {
        let log = CollectingLog()
        let http = ScriptedHTTPClient { _ throws(HTTPFailure) in .answer(status) }
        let pusher = try pusher(.on, asked: nil, http, log)
        let line = await withTaskGroup(of: Void.self) { group in
            group.addTask { await pusher.run() }
            let first = await log.told.first { _ in true }
            group.cancelAll()
            return first
        }
        #expect(line?.contains("answered \(status)") == true)
    }

    @Test(
        "An answer to a poll asks for heartbeats, or takes that back; what no control plane says changes nothing",
        arguments: [
            (200, "20", Duration.seconds(20)), (304, "3600", .seconds(3600)), (404, "1", .seconds(1)), (200, nil, nil),
            (304, "0", nil), (200, "3601", nil), (200, "often", nil), (502, nil, .seconds(7)), (401, "20", .seconds(7)),
        ] as [(Int, String?, Duration?)])
    func wish(status: Int, header: String?, interval: Duration?) {
        let wish = PushWish()
        wish.note(.answer(200, headers: [PushWish.header: "7"]))
        #expect(wish.interval == .seconds(7))
        wish.note(.answer(status, headers: header.map { [PushWish.header: $0] } ?? [:]))
        #expect(wish.interval == interval)
    }

    @Test(
        "Who is not asked pushes nothing unless it is to, and who may not pushes nothing where it is asked",
        arguments: [
            (.asked, nil, nil), (.asked, "20", .seconds(20)), (.on, nil, .seconds(15)), (.on, "20", .seconds(20)),
            (.off, "20", nil),
        ] as [(AgentSettings.HeartbeatPush, String?, Duration?)])
    func interval(setting: AgentSettings.HeartbeatPush, asked: String?, interval: Duration?) throws {
        let pusher = try pusher(setting, asked: asked, ScriptedHTTPClient { _ throws(HTTPFailure) in .answer(200) })
        #expect(pusher.interval == interval)
    }

    private func pusher(
        _ setting: AgentSettings.HeartbeatPush, asked: String?, _ http: ScriptedHTTPClient,
        _ log: CollectingLog = CollectingLog()
    ) throws -> HeartbeatPusher {
        let view = NodeView()
        let versions = NodeSnapshot.Versions(agent: "test")
        view.publish(
            NodeMachine(settings: LifecycleSettings()).snapshot(
                nodeID: "node-1", port: 8000, versions: versions, at: BootInstant(nanoseconds: 0)))
        if let asked { view.wish.note(.answer(304, headers: [PushWish.header: asked])) }
        var settings = try AgentSettings.sample()
        settings.heartbeatPush = setting
        return HeartbeatPusher(settings: settings, ports: .standIns(http: http, log: log), view: view)
    }
}
