internal import AgentCore
internal import AgentWire
internal import Testing

/// What the clouds' manuals do not show: fields missing, other capitals, more than one event, times past.
@Suite struct UnseenCasesTests {
    private static let date = ["date": "Mon, 18 Sep 2017 08:20:00 GMT"]

    // MARK: AWS

    @Test(
        "AWS: other capitals and more fields are the same notice",
        arguments: [
            #"{"Action":"TERMINATE","Time":"2017-09-18T08:22:00Z","instance":"i-1","tags":[1,{}]}"#,
            #"{"action":"terminate","time":"2017-09-18T08:22:00.000Z"}"#,
            #"{"action":null,"time":"2017-09-18T08:22:00+00:00"}"#,
            "\r\n {\"time\":\"Mon, 18 Sep 2017 08:22:00 GMT\",\"action\":\"Terminate\"}\n",
        ])
    func awsForms(body: String) throws {
        var script = SourceScript(AWSMetadata())
        let sighting = try #require(script.answer("instance-action", 200, body, headers: Self.date).sighting)
        #expect(sighting.kind == .terminate)
        #expect(sighting.deadline == script.now + .seconds(120))
    }

    @Test("AWS: to hibernate begins at once, whatever time it names", arguments: ["", "2017-09-18T08:22:00Z"])
    func hibernate(time: String) throws {
        var script = SourceScript(AWSMetadata())
        let body = #"{"action":"hibernate","time":"\#(time)"}"#
        let sighting = try #require(script.answer("instance-action", 200, body, headers: Self.date).sighting)
        #expect(sighting.kind == .hibernate)
        #expect(sighting.deadline == script.now)
    }

    @Test(
        "AWS: neither a word nor a time is no notice yet; the time may be elsewhere",
        arguments: [#"{"action":"","time":""}"#, #"{"action":7,"time":[]}"#, #"["terminate"]"#, "\"terminate\""])
    func awsNothing(body: String) throws {
        var script = SourceScript(AWSMetadata())
        #expect(script.answer("instance-action", 200, body).isEmpty)
        #expect(script.question().url.hasSuffix("termination-time"))
        #expect(script.give(200, "2017-09-18T08:21:00Z", Self.date).sighting?.deadline == script.now + .seconds(60))
    }

    @Test("AWS: a time that has passed is told as it is")
    func awsPast() throws {
        var script = SourceScript(AWSMetadata())
        let body = #"{"action":"stop","time":"2017-09-18T08:19:00Z"}"#
        let sighting = try #require(script.answer("instance-action", 200, body, headers: Self.date).sighting)
        #expect(sighting.deadline == script.now + .seconds(-60))
    }

    @Test("AWS: scheduled events with a time count without an id, a code or a state; a reminder is no cancellation")
    func awsMaintenance() {
        let body = """
            [{"NotBefore":"18 Sep 2017 09:20:00 GMT"},
            {"NotBefore":"18 Sep 2017 09:20:00 GMT","Code":"instance-levitate","EventId":"2"},
            {"NotBefore":"18 Sep 2017 09:20:00 GMT","Code":"Instance-Stop","EventId":"3",
            "Description":"[Reminder] stop"},
            {"NotBefore":"18 Sep 2017 09:20:00 GMT","EventId":"4","State":"Cancelled"},
            {"NotBefore":"18 Sep 2017 09:20:00 GMT","EventId":"5","Description":"[COMPLETED] reboot"}, 7, null, {}]
            """
        var script = SourceScript(AWSMetadata())
        let sightings = script.answer("maintenance/scheduled", 200, body, headers: Self.date).first?.sightings ?? []
        #expect(sightings.map(\.kind) == [.maintenance, .maintenance, .stop])
        #expect(Set(sightings.map(\.origin)).count == 3)
        var single = SourceScript(AWSMetadata())
        let one = #"{"Code":"system-reboot","EventId":"1","NotBefore":"18 Sep 2017 09:20:00 GMT"}"#
        #expect(single.answer("maintenance/scheduled", 200, one, headers: Self.date).sighting?.kind == .maintenance)
    }

    @Test("AWS: no scheduled events is an empty list", arguments: ["[]", "[{}]", "[null]"])
    func awsNoMaintenance(body: String) {
        var script = SourceScript(AWSMetadata())
        #expect(script.answer("maintenance/scheduled", 200, body) == [.noted(key: "maintenance", [])])
    }

    // MARK: Google

    @Test("Google: a server that does not hold the request is asked once a second all the same")
    func googleNotHeld() {
        var script = SourceScript(GCPMetadata(.preempted))
        var times: [BootInstant] = []
        while times.count < 10 {
            let isKey = script.question().url.contains("/preempted")
            if isKey { times.append(script.now) }
            _ = isKey ? script.give(200, "FALSE", ["etag": "\(times.count)"]) : script.give(404, "", [:])
        }
        // The second question follows the first at once: it is the one that waits.
        for (one, next) in zip(times.dropFirst(), times.dropFirst(2)) { #expect(next - one >= .milliseconds(990)) }
    }

    @Test("Google: maintenance of an unknown kind is told and ends nothing; what is no word is no answer")
    func googleUnknown() throws {
        var script = SourceScript(GCPMetadata(.maintenance))
        let sighting = try #require(script.answer("maintenance-event", 200, "REBOOT_ON_HOST_MAINTENANCE").sighting)
        #expect(!sighting.kind.endsTheNode)
        #expect(sighting.word == "REBOOT_ON_HOST_MAINTENANCE")
        for body in ["<html>NONE</html>", "maybe later", "", "7"] {
            var script = SourceScript(GCPMetadata(.maintenance))
            #expect(script.answer("maintenance-event", 200, body).isOneFailure)
        }
    }

    @Test("Google: lower case is the same word")
    func googleCase() {
        var script = SourceScript(GCPMetadata(.preempted))
        #expect(script.answer("/preempted", 200, " true ").sighting?.kind == .terminate)
        var maintenance = SourceScript(GCPMetadata(.maintenance))
        let end = maintenance.answer("maintenance-event", 200, "terminate_on_host_maintenance")
        #expect(end.sighting?.kind == .maintenance)
    }

    @Test(
        "Google: planned maintenance that is over, or says no time, is none",
        arguments: [
            #"{"window_start_time":"2017-09-18T09:20:00Z","maintenance_status":"COMPLETE"}"#,
            #"{"maintenance_status":"PENDING"}"#, "{}", #"{"window_start_time":"soon"}"#,
        ])
    func googleNotPlanned(body: String) {
        var script = SourceScript(GCPMetadata(.maintenance))
        _ = script.answer("maintenance-event", 200, "NONE", headers: ["etag": "1"])
        let found = script.answer("upcoming-maintenance", 200, body, headers: Self.date)
        #expect(found == [.noted(key: "upcoming", [])])
    }

    // MARK: Alibaba, Tencent

    @Test("A line whose time has passed, and one with a zone of its own")
    func lines() throws {
        var script = SourceScript(TerminationTimeMetadata(.tencent))
        let past = try #require(
            script.answer("termination-time", 200, "2017-09-18 16:19:00\n", headers: Self.date).sighting)
        #expect(past.deadline == script.now + .seconds(-60))
        var zoned = SourceScript(TerminationTimeMetadata(.tencent))
        let named = try #require(
            zoned.answer("termination-time", 200, "2017-09-18T08:22:00Z", headers: Self.date).sighting)
        #expect(named.deadline == zoned.now + .seconds(120))
    }

    @Test("An answer of HTML, of trouble or of many lines is no answer", arguments: [200, 204, 302, 403, 429, 503])
    func trouble(status: Int) {
        for provider in [TerminationTimeMetadata.Provider.alibaba, .tencent] {
            var script = SourceScript(TerminationTimeMetadata(provider))
            #expect(script.answer("termination-time", status, "<html>\n2017-09-18T08:22:00Z").isOneFailure)
        }
    }

    // MARK: The control plane

    @Test("An end whose kind is unknown, or written otherwise, still ends")
    func announcedEnd() {
        for (kind, expected) in [("STOP", NoticeKind.stop), ("evaporate", .terminate)] {
            let body = #"{"generation":3,"end":{"at":"2017-09-18T08:22:00Z","kind":"\#(kind)","more":1}}"#
            let answer = MetadataResponse(
                status: 200, headers: Self.date, body: [UInt8](body.utf8), at: BootInstant(nanoseconds: 0))
            #expect(AssignmentEnd.finding(in: answer, wallTime: 0)?.sightings?.first?.kind == expected)
        }
    }
}
