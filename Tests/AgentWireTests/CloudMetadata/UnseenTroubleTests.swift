internal import AgentCore
internal import AgentWire
internal import Testing

/// Metadata services that fail halfway, and answers that contradict each other.
@Suite struct UnseenTroubleTests {
    private static let date = ["date": "Mon, 18 Sep 2017 08:20:00 GMT"]

    @Test("AWS: every 401 gets a fresh token at once, also after one that nothing was pending behind")
    func refusedTwice() {
        var script = SourceScript(AWSMetadata())
        for _ in 1...3 {
            #expect(script.answer("instance-action", 401).isEmpty)
            let before = script.now
            #expect(script.question().method == .put)
            _ = script.give(200, "fresh", [:])
            #expect(script.question().url.hasSuffix("instance-action"))
            #expect(script.give(404, "", [:]) == [.listed(key: "instance-action", [])])
            #expect(script.now - before < .milliseconds(10))
        }
    }

    @Test("AWS: an action that nobody can read is not taken back by a time that is not there")
    func unreadableStop() {
        var script = SourceScript(AWSMetadata())
        #expect(script.answer("instance-action", 200, "{\"action\": \"st").isEmpty)
        #expect(script.question().url.hasSuffix("termination-time"))
        #expect(script.give(404, "<html/>", [:]).isOneFailure)
    }

    @Test("AWS: a time without a zone is UTC's", arguments: ["2017-09-18T08:22:00", "2017-09-18 08:22:00.0"])
    func noZone(time: String) throws {
        var script = SourceScript(AWSMetadata())
        let body = #"{"action":"stop","time":"\#(time)"}"#
        let sighting = try #require(script.answer("instance-action", 200, body, headers: Self.date).sighting)
        #expect(sighting.deadline == script.now + .seconds(120))
    }

    @Test("Alibaba: after trouble with the token the next look has one", arguments: [401, 403])
    func tokenTrouble(status: Int) {
        var script = SourceScript(TerminationTimeMetadata(.alibaba))
        #expect(script.question().method == .put)
        #expect(script.give(503, "", [:]).isEmpty)
        #expect(script.question().method == .get)
        #expect(script.give(status, "", [:]).isOneFailure)
        let before = script.now
        #expect(script.question().method == .put)
        _ = script.give(200, "fresh", [:])
        let query = script.question()
        #expect(query.headers["X-aliyun-ecs-metadata-token"] == "fresh")
        #expect(script.now - before <= .milliseconds(1100))
    }

    @Test("Azure: an incarnation that goes back is the document that counts now")
    func incarnation() {
        var script = SourceScript(AzureMetadata())
        for incarnation in [9, 3, 3, 1] {
            let body = #"{"DocumentIncarnation":\#(incarnation),"Events":[{"EventId":"1","EventType":"Preempt"}]}"#
            #expect(script.answer("scheduledevents", 200, body).sighting?.kind == .terminate)
        }
    }

    @Test("Azure: the one event of ours counts, however many of the neighbours' come before it")
    func crowd() {
        var script = SourceScript(AzureMetadata())
        _ = script.answer("compute", 200, #"{"name":"vm_99"}"#)
        let events = (0..<100).map { #"{"EventId":"\#($0)","EventType":"Preempt","Resources":["vm_\#($0)"]}"# }
        let body = #"{"DocumentIncarnation":1,"Events":[\#(events.joined(separator: ","))]}"#
        let sightings = script.answer("scheduledevents", 200, body).first?.sightings
        #expect(sightings?.map(\.origin) == ["scheduledevents/99"])
    }

    @Test("AWS: what was taken back hides no event that is still to come; an id has an end")
    func longHistory() throws {
        var script = SourceScript(AWSMetadata())
        let canceled = #"{"EventId":"x","State":"canceled","NotBefore":"18 Sep 2017 09:20:00 GMT"},"#
        let name = String(repeating: "7", count: 10_000)
        let active = #"{"EventId":"\#(name)","State":"active","NotBefore":"18 Sep 2017 09:20:00 GMT"}"#
        let body = "[" + String(repeating: canceled, count: 40) + active + "]"
        let sighting = try #require(script.answer("maintenance/scheduled", 200, body, headers: Self.date).sighting)
        #expect(sighting.kind == .maintenance)
        #expect(sighting.origin.utf8.count < 200)
    }
}
