internal import AgentCore
internal import AgentWire
internal import Testing

@Suite struct AzureMetadataTests {
    private static let date = ["date": "Mon, 19 Sep 2016 18:29:17 GMT"]
    private static let empty = #"{"DocumentIncarnation":1,"Events":[]}"#

    private static func document(
        _ type: String, notBefore: String = "Mon, 19 Sep 2016 18:29:47 GMT", status: String = "Scheduled",
        resources: String = #""vm_1""#, length: Int = -1, id: String = "f020ba2e"
    ) -> String {
        """
        {"DocumentIncarnation":2,"Events":[{"EventId":"\(id)","EventType":"\(type)","ResourceType":"VirtualMachine",
        "Resources":[\(resources)],"EventStatus":"\(status)","NotBefore":"\(notBefore)","Description":"",
        "EventSource":"Platform","DurationInSeconds":\(length)}]}
        """
    }

    /// The first document is answered, and the machine knows its own name.
    private static func ready() -> SourceScript<AzureMetadata> {
        var script = SourceScript(AzureMetadata())
        _ = script.answer("scheduledevents", 200, empty)
        _ = script.answer(
            "compute", 200, #"{"name":"VM_1","location":"eastus","zone":"","vmSize":"Standard_NC24ads_A100_v4"}"#)
        return script
    }

    @Test("The first answer may take its time; those after it may not")
    func enabling() {
        var script = SourceScript(AzureMetadata())
        #expect(script.question().url.contains("/instance/compute"))
        _ = script.give(404, "", [:])
        let first = script.question()
        #expect(first.headers["Metadata"] == "true")
        #expect(first.timeout == .seconds(8))
        #expect(script.fail(after: .seconds(8)).isOneFailure)
        _ = script.answer("scheduledevents", 200, Self.empty)
        while !script.question().url.contains("scheduledevents") { _ = script.give(404, "", [:]) }
        #expect(script.lastQuery?.timeout == .seconds(1))
    }

    @Test("A version the region does not have makes way for the older one, for good")
    func version() {
        var script = SourceScript(AzureMetadata())
        _ = script.question()
        _ = script.give(200, #"{"name":"vm_1"}"#, [:])
        #expect(script.question().url.hasSuffix("api-version=2024-07-09"))
        #expect(script.give(404, "", [:]).isEmpty)
        #expect(script.question().url.hasSuffix("api-version=2020-07-01"))
        #expect(script.give(404, "", [:]).isOneFailure)
    }

    @Test("An eviction is planned for with eight seconds, whatever it announces")
    func preempt() throws {
        var script = Self.ready()
        let body = Self.document("Preempt")
        let first = try #require(script.answer("scheduledevents", 200, body, headers: Self.date).sighting)
        let end = script.now + .seconds(8)
        #expect(first.kind == .terminate)
        #expect(first.deadline == end)
        // Started: NotBefore is empty, and the end stays where it was.
        let started = Self.document("Preempt", notBefore: "", status: "Started")
        #expect(
            try #require(script.answer("scheduledevents", 200, started, headers: Self.date).sighting).deadline == end)
    }

    @Test("An eviction nearer than that is nearer")
    func nearer() throws {
        var script = Self.ready()
        let body = Self.document("Preempt", notBefore: "Mon, 19 Sep 2016 18:29:20 GMT")
        let sighting = try #require(script.answer("scheduledevents", 200, body, headers: Self.date).sighting)
        #expect(sighting.deadline == script.now + .seconds(3))
    }

    @Test(
        "The other kinds, with the time they announce, in either form",
        arguments: [
            ("Reboot", NoticeKind.maintenance), ("Redeploy", .maintenance), ("Terminate", .terminate),
            ("Freeze", .freeze), ("SpotRebalanceRecommendation", .rebalance), ("Vaporise", .terminate),
        ])
    func kinds(type: String, kind: NoticeKind) throws {
        for time in ["Mon, 19 Sep 2016 18:44:17 GMT", "2016-09-19T18:44:17Z"] {
            var script = Self.ready()
            let body = Self.document(type, notBefore: time)
            let sighting = try #require(script.answer("scheduledevents", 200, body, headers: Self.date).sighting)
            #expect(sighting.kind == kind)
            #expect(sighting.deadline == script.now + .seconds(900))
        }
    }

    @Test("Events of the neighbours are none of ours; the own name counts in any case")
    func resources() {
        var script = Self.ready()
        let neighbours = Self.document("Preempt", resources: #""vm_2","vm_3""#)
        #expect(script.answer("scheduledevents", 200, neighbours) == [.listed(key: "scheduledevents", [])])
        let both = Self.document("Preempt", resources: #""vm_2","vm_1""#)
        #expect(script.answer("scheduledevents", 200, both).sighting != nil)
    }

    @Test("While the own name is not known, an event for one machine alone counts")
    func unknownName() {
        var script = SourceScript(AzureMetadata())
        #expect(script.answer("scheduledevents", 200, Self.document("Preempt")).sighting != nil)
        let many = Self.document("Preempt", resources: #""vm_2","vm_1""#)
        #expect(script.answer("scheduledevents", 200, many).sighting == nil)
    }

    @Test("A short pause is approved; a long one, or one that concerns others, is not")
    func approval() throws {
        for (length, resources, isApproved) in [
            (5, #""vm_1""#, true), (9, #""vm_1""#, true), (10, #""vm_1""#, false), (-1, #""vm_1""#, false),
            (5, #""vm_1","vm_2""#, false),
        ] {
            var script = Self.ready()
            _ = script.answer("scheduledevents", 200, Self.document("Freeze", resources: resources, length: length))
            script.approve("azure/scheduledevents/f020ba2e")
            let query = script.question()
            #expect((query.method == .post) == isApproved, "\(length) \(resources)")
            guard isApproved else { continue }
            let body = try JSONValue.parse(query.body ?? [])
            #expect(body["StartRequests"]?.arrayValue?.first?["EventId"] == .string("f020ba2e"))
        }
    }

    @Test("An eviction is approved when the node is done with it, and never before")
    func approvalAfterDrain() {
        var script = Self.ready()
        for _ in 0..<5 { _ = script.answer("scheduledevents", 200, Self.document("Preempt")) }
        #expect(!script.asked.contains { $0.hasPrefix("POST") })
        script.approve("azure/scheduledevents/f020ba2e")
        #expect(script.question().method == .post)
        _ = script.give(200, "", [:])
        #expect(script.question().method == .get)
    }

    @Test(
        "What is no document is no answer",
        arguments: ["", "<html>", "{", "[]", "{}", #"{"Events":null}"#, #"{"Events":"none"}"#])
    func nonsense(body: String) {
        var script = Self.ready()
        let findings = script.answer("scheduledevents", 200, body)
        #expect(findings.count == 1)
        #expect(findings.isOneFailure)
    }

    @Test("Asked every second, whatever the answer", arguments: [200, 304, 429, 500, 503])
    func cadence(status: Int) {
        var script = Self.ready()
        var times: [BootInstant] = []
        while times.count < 20 {
            if script.question().url.contains("scheduledevents") { times.append(script.now) }
            _ = script.give(status, Self.empty, [:])
        }
        for (one, next) in zip(times, times.dropFirst()) {
            #expect(next - one >= .seconds(1) && next - one < .milliseconds(1020))
        }
    }

    @Test("Where the machine is comes with its name; what is empty is unknown")
    func place() {
        var script = SourceScript(AzureMetadata())
        _ = script.answer("scheduledevents", 200, Self.empty)
        let body = #"{"name":"VM_1","location":"eastus","zone":"","vmSize":"Standard_NC24ads_A100_v4"}"#
        let place = CloudPlace(.azure, region: "eastus", instanceType: "Standard_NC24ads_A100_v4")
        #expect(script.answer("compute", 200, body) == [.place(place)])
    }
}
