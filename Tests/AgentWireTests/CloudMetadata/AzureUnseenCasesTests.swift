internal import AgentCore
internal import AgentWire
internal import Testing

@Suite struct AzureUnseenCasesTests {
    private static let date = ["date": "Mon, 19 Sep 2016 18:29:17 GMT"]
    private static let inHalfAMinute = "Mon, 19 Sep 2016 18:29:47 GMT"

    private static func ready() -> SourceScript<AzureMetadata> {
        var script = SourceScript(AzureMetadata())
        _ = script.answer("compute", 200, #"{"name":"vm_1","location":"eastus"}"#)
        _ = script.answer("scheduledevents", 200, #"{"DocumentIncarnation":1,"Events":[]}"#)
        return script
    }

    private static func sightings(_ events: String, _ script: inout SourceScript<AzureMetadata>) -> [Sighting] {
        let body = #"{"DocumentIncarnation":2,"Events":[\#(events)]}"#
        return script.answer("scheduledevents", 200, body, headers: date).first?.sightings ?? []
    }

    private static func approved(_ script: inout SourceScript<AzureMetadata>) -> [String] {
        let document = try? JSONValue.parse(script.question().body ?? [])
        return (document?["StartRequests"]?.arrayValue ?? []).compactMap { $0["EventId"]?.stringValue }
    }

    @Test("The machine's name is asked for before the first events, which may be a neighbour's")
    func nameFirst() {
        var script = SourceScript(AzureMetadata())
        let first = script.question().url
        #expect(first.contains("/instance/compute"))
        _ = script.fail(after: .seconds(1))
        let second = script.question().url
        #expect(second.contains("scheduledevents"))
    }

    @Test(
        "Fields that are missing, other capitals, further fields",
        arguments: [
            #"{"EventId":"1","EventType":"Preempt"}"#, #"{"EventType":"Preempt"}"#,
            #"{"eventid":"1","eventtype":"PREEMPT","resources":["VM_1"],"notbefore":""}"#,
            #"{"EventId":"1","EventType":"preempt","Resources":[],"NotBefore":null,"Zone":{"a":[1]}}"#,
            #"{"EventId":"","EventType":"Preempt","Resources":["vm_1"],"NotBefore":"soon"}"#,
        ])
    func forms(event: String) throws {
        var script = Self.ready()
        let sighting = try #require(Self.sightings(event, &script).first)
        #expect(sighting.kind == .terminate)
        #expect(sighting.deadline == script.now + .seconds(8))
    }

    @Test("What says neither what it is nor when is no event", arguments: ["{}", "null", "7", #"{"EventId":"1"}"#])
    func nothing(event: String) {
        var script = Self.ready()
        #expect(Self.sightings(event, &script).isEmpty)
    }

    @Test("Two events at once are both seen, and both are approved when the node is done")
    func two() {
        var script = Self.ready()
        let events = """
            {"EventId":"1","EventType":"Reboot","Resources":["vm_1"],"NotBefore":"Mon, 19 Sep 2016 18:44:17 GMT"},
            {"EventId":"11","EventType":"Preempt","Resources":["vm_1"],"NotBefore":"\(Self.inHalfAMinute)"},
            {"EventId":"2","EventType":"Preempt","Resources":["vm_2"],"NotBefore":"\(Self.inHalfAMinute)"},
            {"EventId":"3","EventType":"Freeze","Resources":["vm_1"],"DurationInSeconds":5}
            """
        #expect(Self.sightings(events, &script).map(\.kind) == [.maintenance, .terminate, .freeze])
        script.approve("azure/scheduledevents/11")
        #expect(Self.approved(&script) == ["1", "11"])
    }

    @Test("A pause is approved by itself and approves nothing else")
    func pauseAlone() {
        var script = Self.ready()
        let events = """
            {"EventId":"1","EventType":"Reboot","Resources":["vm_1"],"NotBefore":"Mon, 19 Sep 2016 18:44:17 GMT"},
            {"EventId":"3","EventType":"Freeze","Resources":["vm_1"],"DurationInSeconds":5}
            """
        _ = Self.sightings(events, &script)
        script.approve("azure/scheduledevents/3")
        #expect(Self.approved(&script) == ["3"])
    }

    @Test("A reboot that begins before its time, because a neighbour agreed, leaves no quarter of an hour")
    func startedEarly() throws {
        var script = Self.ready()
        let scheduled = """
            {"EventId":"1","EventType":"Reboot","Resources":["vm_1"],"EventStatus":"Scheduled",
            "NotBefore":"Mon, 19 Sep 2016 18:44:17 GMT"}
            """
        let started = #"{"EventId":"1","EventType":"Reboot","EventStatus":"Started","NotBefore":""}"#
        #expect(Self.sightings(scheduled, &script).first?.deadline == script.now + .seconds(900))
        let first = try #require(Self.sightings(started, &script).first?.deadline)
        #expect(first == script.now + .seconds(8))
        // And it does not move with further looks.
        #expect(Self.sightings(started, &script).first?.deadline == first)
    }

    @Test("NotBefore is the earliest moment: one that has passed is now, and no machine that was spared")
    func past() throws {
        var script = Self.ready()
        let event = #"{"EventId":"1","EventType":"Redeploy","NotBefore":"Mon, 19 Sep 2016 18:00:00 GMT"}"#
        #expect(try #require(Self.sightings(event, &script).first).deadline == script.now + .seconds(8))
    }

    @Test("An approval that is not heard is said again, three times at most")
    func approvalLost() {
        var script = Self.ready()
        _ = Self.sightings(#"{"EventId":"1","EventType":"Preempt","Resources":["vm_1"]}"#, &script)
        script.approve("azure/scheduledevents/1")
        var posts = 0
        for _ in 0..<20 {
            let isPost = script.question().method == .post
            posts += isPost ? 1 : 0
            _ = isPost ? script.give(500, "", [:]) : script.give(200, #"{"Events":[]}"#, [:])
        }
        #expect(posts == 3)
    }
}
