internal import AgentCore
internal import AgentWire
internal import Testing

@Suite struct AWSMetadataTests {
    private static let action = "instance-action"
    /// The server's clock is 90 seconds off, in either direction; only its own Date counts.
    private static let date = ["date": "Mon, 18 Sep 2017 08:20:00 GMT"]

    @Test("A token is fetched first and goes with every question")
    func token() {
        var script = SourceScript(AWSMetadata())
        let first = script.question()
        #expect(first.method == .put)
        #expect(first.url == "http://169.254.169.254/latest/api/token")
        #expect(first.headers["X-aws-ec2-metadata-token-ttl-seconds"] == "21600")
        _ = script.give(200, "secret-token\n", ["x-aws-ec2-metadata-token-ttl-seconds": "21600"])
        let second = script.question()
        #expect(second.url.hasSuffix("/latest/meta-data/spot/instance-action"))
        #expect(second.headers["X-aws-ec2-metadata-token"] == "secret-token")
    }

    @Test(
        "What is announced, with the time on the boot clock",
        arguments: [
            (#"{"action": "terminate", "time": "2017-09-18T08:22:00Z"}"#, NoticeKind.terminate),
            (#"{"action": "stop", "time": "2017-09-18T08:22:00Z"}"#, .stop),
            ("{\n\t\"action\": \"stop\",\n\t\"time\": \"2017-09-18T08:22:00Z\"\n}", .stop),
            (#"{"action": "flip!", "time": "2017-09-18T08:22:00Z"}"#, .terminate),
            (#"{"time": "2017-09-18T08:22:00Z"}"#, .terminate),
            (#"{"action": "freeze", "time": "2017-09-18T08:22:00Z"}"#, .terminate),
        ])
    func announced(body: String, kind: NoticeKind) throws {
        var script = SourceScript(AWSMetadata())
        let sighting = try #require(script.answer(Self.action, 200, body, headers: Self.date).sighting)
        #expect(sighting.kind == kind)
        #expect(sighting.deadline == script.now + .seconds(120))
    }

    @Test("An action without a time that can be read still counts", arguments: ["soon", ""])
    func noTime(time: String) throws {
        var script = SourceScript(AWSMetadata())
        let body = #"{"action":"terminate","time":"\#(time)"}"#
        let sighting = try #require(script.answer(Self.action, 200, body, headers: Self.date).sighting)
        #expect(sighting.deadline == nil)
    }

    @Test("Without a Date of the server's own there is no deadline to trust")
    func noDate() throws {
        var script = SourceScript(AWSMetadata())
        let body = #"{"action":"terminate","time":"2017-09-18T08:22:00Z"}"#
        #expect(try #require(script.answer(Self.action, 200, body).sighting).deadline == nil)
    }

    @Test("404 with a page of XHTML is nothing pending")
    func notFound() {
        var script = SourceScript(AWSMetadata())
        let page = "<?xml version=\"1.0\"?><html><body>404 - Not Found</body></html>"
        #expect(script.answer(Self.action, 404, page) == [.listed(key: Self.action, [])])
    }

    @Test(
        "What cannot be read gets a second look elsewhere, and is a failure if that is no help",
        arguments: ["<html>hello</html>", #"{"action": "terminate" "time": "2017"}"#, "", "[]", "{}", "null"])
    func unreadable(body: String) {
        var script = SourceScript(AWSMetadata())
        #expect(script.answer(Self.action, 200, body).isEmpty)
        let query = script.question()
        #expect(query.url.hasSuffix("/spot/termination-time"))
        let findings = script.give(200, "not a time", Self.date)
        #expect(findings.count == 1)
        #expect(findings.isOneFailure)
    }

    @Test("The second look can be what counts")
    func secondLook() throws {
        var script = SourceScript(AWSMetadata())
        _ = script.answer(Self.action, 200, "{\"action\": \"termi")
        let findings = script.answer("termination-time", 200, "2017-09-18T08:21:00Z", headers: Self.date)
        #expect(try #require(findings.sighting).deadline == script.now + .seconds(60))
    }

    @Test("A 401 gets a fresh token and the same question again, at once")
    func expired() throws {
        var script = SourceScript(AWSMetadata())
        #expect(script.answer(Self.action, 401).isEmpty)
        let before = script.now
        #expect(script.question().method == .put)
        _ = script.give(200, "fresh", [:])
        let again = script.question()
        #expect(again.url.hasSuffix(Self.action))
        #expect(again.headers["X-aws-ec2-metadata-token"] == "fresh")
        #expect(script.now - before < .milliseconds(10))
        // A second 401 is no reason to go round in circles.
        #expect(script.give(401, "", [:]).isOneFailure)
    }

    @Test("Where no token can be had, version 1 is tried at once: a hop limit swallows the answer")
    func versionOne() throws {
        var script = SourceScript(AWSMetadata())
        #expect(script.question().method == .put)
        #expect(script.fail().isEmpty)
        let query = script.question()
        #expect(query.method == .get)
        #expect(query.headers["X-aws-ec2-metadata-token"] == nil)
        let body = #"{"action":"terminate","time":"2017-09-18T08:22:00Z"}"#
        #expect(script.give(200, body, Self.date).sighting != nil)
    }

    @Test("A token that cannot be renewed is used to its end")
    func renewal() {
        var script = SourceScript(AWSMetadata())
        _ = script.question()
        _ = script.give(200, "short", ["x-aws-ec2-metadata-token-ttl-seconds": "10"])
        var puts = 0
        var withToken = 0
        for _ in 0..<18 {
            let query = script.question()
            if query.method == .put {
                puts += 1
                _ = script.fail("timeout", after: .milliseconds(100))
            } else {
                withToken += query.headers["X-aws-ec2-metadata-token"] == "short" ? 1 : 0
                _ = script.give(404, "", [:])
            }
        }
        #expect(puts >= 1)
        #expect(withToken >= 10)
    }

    @Test("The interruption is asked for every second, whatever else there is to ask", arguments: [404, 503, 403])
    func cadence(status: Int) {
        var script = SourceScript(AWSMetadata())
        var times: [BootInstant] = []
        while times.count < 30 {
            let query = script.question()
            if query.url.hasSuffix(Self.action) { times.append(script.now) }
            _ = query.method == .put ? script.give(200, "t", [:]) : script.give(status, "", [:])
        }
        for (one, next) in zip(times, times.dropFirst()) {
            #expect(next - one >= .seconds(1))
            #expect(next - one < .milliseconds(1020))
        }
    }

    @Test("A throttled source waits two seconds and says that it cannot see")
    func throttled() {
        var script = SourceScript(AWSMetadata())
        #expect(script.answer(Self.action, 429).isOneFailure)
        let before = script.now
        _ = script.question()
        #expect(script.now - before == .seconds(2))
    }

    @Test("The advice to rebalance is noted, whatever its time")
    func rebalance() throws {
        var script = SourceScript(AWSMetadata())
        let findings = script.answer("rebalance", 200, #"{"noticeTime": "2020-10-27T08:22:00Z"}"#)
        #expect(try #require(findings.sighting).kind == .rebalance)
    }

    @Test("Scheduled events that are active count; those taken back or done do not")
    func maintenance() {
        let body = """
            [{"NotBefore":"18 Sep 2017 09:20:00 GMT","Code":"system-reboot","Description":"scheduled reboot",
            "EventId":"instance-event-1","State":"active"},
            {"NotBefore":"18 Sep 2017 09:20:00 GMT","Code":"instance-retirement","EventId":"instance-event-2",
            "State":"active"},
            {"NotBefore":"18 Sep 2017 09:20:00 GMT","Code":"system-reboot","EventId":"3","State":"canceled"},
            {"NotBefore":"18 Sep 2017 09:20:00 GMT","Code":"system-reboot","EventId":"4","State":"completed"},
            {"NotBefore":"18 Sep 2017 09:20:00 GMT","Code":"system-reboot","EventId":"5",
            "Description":"[Canceled] scheduled reboot","State":"active"},
            {"Code":"system-reboot","EventId":"6","State":"active","NotBefore":"later"}]
            """
        var script = SourceScript(AWSMetadata())
        let sightings = script.answer("maintenance/scheduled", 200, body, headers: Self.date).first?.sightings ?? []
        #expect(sightings.map(\.kind) == [.maintenance, .stop, .rebalance])
        #expect(sightings.first?.deadline == script.now + .seconds(3600))
    }

    @Test("Where the machine is comes from its own metadata")
    func place() {
        var script = SourceScript(AWSMetadata())
        var place: CloudPlace?
        for _ in 0..<8 {
            let query = script.question()
            let body =
                query.url.hasSuffix("zone") ? "us-east-1a" : query.url.hasSuffix("type") ? "p5.48xlarge" : "us-east-1"
            for case .place(let found) in query.url.contains("spot")
                ? script.give(404, "", [:]) : script.give(200, body, [:])
            {
                place = found
            }
        }
        #expect(place?.instanceType == "p5.48xlarge")
        #expect(place?.zone == "us-east-1a")
    }
}
