internal import AgentCore
internal import AgentWire
internal import Testing

@Suite struct GCPMetadataTests {
    private static func script(_ key: GCPMetadata.Key = .preempted, granted: Duration? = nil) -> SourceScript<
        GCPMetadata
    > {
        SourceScript(GCPMetadata(key, granted: granted))
    }

    @Test("Read first, then wait for a change since what was read")
    func longPoll() {
        var script = Self.script()
        let first = script.question()
        #expect(first.url == "http://169.254.169.254/computeMetadata/v1/instance/preempted")
        #expect(first.headers["Metadata-Flavor"] == "Google")
        #expect(script.give(200, "FALSE", ["etag": "5e1b2a"]) == [.listed(key: "preempted", [])])
        let before = script.now
        while !script.question().url.contains("preempted") { _ = script.give(404, "", [:]) }
        let second = script.lastQuery
        #expect(second?.url.hasSuffix("?wait_for_change=true&timeout_sec=1&last_etag=5e1b2a") == true)
        #expect(second?.timeout ?? .zero < .seconds(2))
        #expect(script.now - before < .milliseconds(20))
    }

    @Test("TRUE ends the machine, soon; the end does not move with further looks")
    func preempted() throws {
        var script = Self.script(granted: .seconds(120))
        let first = try #require(script.answer("preempted", 200, "TRUE\n", headers: ["etag": "1"]).sighting)
        let end = script.now + .seconds(120)
        #expect(first.kind == .terminate)
        #expect(first.deadline == end)
        #expect(try #require(script.answer("preempted", 200, "TRUE").sighting).deadline == end)
        #expect(script.answer("preempted", 200, "FALSE").first?.sightings == [])
    }

    @Test("Without a granted notice nobody says when")
    func noNotice() throws {
        var script = Self.script()
        #expect(try #require(script.answer("preempted", 200, "TRUE").sighting).deadline == nil)
    }

    @Test("After trouble the key is read afresh, a second later", arguments: [403, 404, 429, 500, 503])
    func trouble(status: Int) {
        var script = Self.script()
        _ = script.answer("preempted", 200, "FALSE", headers: ["etag": "1"])
        #expect(script.answer("wait_for_change", status, "<html>").isOneFailure)
        let before = script.now
        var query = script.question()
        while !query.url.contains("preempted") {
            _ = script.give(404, "", [:])
            query = script.question()
        }
        #expect(!query.url.contains("wait_for_change"))
        #expect(script.now - before >= .milliseconds(900))
        #expect(script.now - before < .milliseconds(1100))
    }

    @Test("What is neither TRUE nor FALSE is no answer", arguments: ["", "maybe", "<html>TRUE</html>", "TRUE\nFALSE"])
    func nonsense(body: String) {
        var script = Self.script()
        let findings = script.answer("preempted", 200, body)
        #expect(findings.count == 1)
        #expect(findings.isOneFailure)
    }

    @Test(
        "An ETag says nothing else in a URL, and what is none is not put into one",
        arguments: [
            ("1&recursive=true", "1%26recursive%3Dtrue"), ("W/\"3f-9\"", "W%2F%223f%2D9%22"), ("a b", nil), ("", nil),
            (String(repeating: "e", count: 65), nil),
        ])
    func hostileETag(etag: String, written: String?) {
        var script = Self.script()
        _ = script.answer("preempted", 200, "FALSE", headers: ["etag": etag])
        var waited: [String] = []
        for _ in 0..<5 {
            let url = script.question().url
            if let at = url.firstRange(of: "&last_etag=") { waited.append(String(url[at.upperBound...])) }
            _ = script.give(404, "", [:])
        }
        #expect(waited == (written.map { [$0] } ?? []))
    }

    @Test("Maintenance is asked for at once, or its warning would be left out")
    func maintenanceAsked() {
        var script = Self.script(.maintenance)
        #expect(script.question().url.hasSuffix("/instance/maintenance-event"))
    }

    @Test("A migration is a pause; a termination comes in an hour")
    func maintenance() throws {
        var script = Self.script(.maintenance)
        let pause = try #require(script.answer("maintenance-event", 200, "MIGRATE_ON_HOST_MAINTENANCE").sighting)
        #expect(pause.kind == .freeze)
        let end = try #require(script.answer("maintenance-event", 200, "TERMINATE_ON_HOST_MAINTENANCE").sighting)
        #expect(end.kind == .maintenance)
        #expect(end.deadline == script.now + .seconds(3600))
    }

    @Test(
        "Planned maintenance, in either spelling",
        arguments: [
            #"{"window_start_time":"2024-12-01T19:00:01Z","maintenance_status":"PENDING"}"#,
            #"{"windowStartTime":"2024-12-01T19:00:01Z","maintenanceStatus":"PENDING"}"#,
        ])
    func upcoming(body: String) throws {
        var script = Self.script(.maintenance)
        _ = script.answer("maintenance-event", 200, "NONE", headers: ["etag": "1"])
        let date = ["date": "Sun, 01 Dec 2024 18:00:01 GMT"]
        let sighting = try #require(script.answer("upcoming-maintenance", 200, body, headers: date).sighting)
        #expect(sighting.deadline == script.now + .seconds(3600))
    }

    @Test("No planned maintenance, ever or now", arguments: [(200, "NONE"), (503, #"{"error":"no notifications"}"#)])
    func noneUpcoming(status: Int, body: String) {
        var script = Self.script(.maintenance)
        _ = script.answer("maintenance-event", 200, "NONE", headers: ["etag": "1"])
        #expect(script.answer("upcoming-maintenance", status, body).sighting == nil)
    }

    @Test("Zone and machine type are the last word of their paths")
    func place() {
        var script = Self.script()
        _ = script.answer("preempted", 200, "FALSE", headers: ["etag": "1"])
        let zone = script.answer("/zone", 200, "projects/123/zones/us-central1-a")
        let type = script.answer("/machine-type", 200, "projects/123/machineTypes/a3-highgpu-8g")
        #expect(zone == [.place(CloudPlace(.gcp, region: "us-central1", zone: "us-central1-a"))])
        let whole = CloudPlace(.gcp, region: "us-central1", zone: "us-central1-a", instanceType: "a3-highgpu-8g")
        #expect(type == [.place(whole)])
    }
}
