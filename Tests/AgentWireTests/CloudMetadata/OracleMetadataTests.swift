internal import AgentCore
internal import AgentWire
internal import Testing

@Suite struct OracleMetadataTests {
    @Test("Version 2, which wants its header; the state every second")
    func asked() {
        var script = SourceScript(OracleMetadata())
        let first = script.question()
        #expect(first.url == "http://169.254.169.254/opc/v2/instance/state")
        #expect(first.headers["Authorization"] == "Bearer Oracle")
        var times: [BootInstant] = []
        while times.count < 10 {
            if script.question().url.hasSuffix("/state") { times.append(script.now) }
            _ = script.give(200, "Running", [:])
        }
        for (one, next) in zip(times, times.dropFirst()) {
            #expect(next - one >= .seconds(1) && next - one < .milliseconds(1020))
        }
    }

    @Test(
        "A life cycle that ends is a notice, in any case",
        arguments: [
            ("Terminating", NoticeKind.terminate), ("TERMINATED", .terminate), ("stopping\n", .stop),
            ("STOPPED", .stop),
        ])
    func ending(word: String, kind: NoticeKind) throws {
        var script = SourceScript(OracleMetadata())
        let sighting = try #require(script.answer("/state", 200, word).sighting)
        #expect(sighting.kind == kind)
        #expect(sighting.deadline == script.now + Cloud.oracle.softOff)
    }

    @Test("One that goes on is not, known or not", arguments: ["Running", "PROVISIONING", "Starting", "Moving"])
    func living(word: String) {
        var script = SourceScript(OracleMetadata())
        #expect(script.answer("/state", 200, word) == [.listed(key: "state", [])])
    }

    @Test(
        "What is no state is no answer",
        arguments: [
            (200, "<html>Terminating</html>"), (200, ""), (200, "{}"), (401, ""), (404, "Terminated"), (503, ""),
        ])
    func nonsense(status: Int, body: String) {
        var script = SourceScript(OracleMetadata())
        #expect(script.answer("/state", status, body).isOneFailure)
    }

    @Test("Where the machine is comes piece by piece; what fails is asked again later and is no blindness")
    func place() {
        var script = SourceScript(OracleMetadata())
        #expect(script.answer("availabilityDomain", 503).isEmpty)
        _ = script.answer("canonicalRegionName", 200, "us-phoenix-1")
        _ = script.answer("shape", 200, "VM.GPU3.1")
        let whole = CloudPlace(.oracle, region: "us-phoenix-1", zone: "PHX-AD-1", instanceType: "VM.GPU3.1")
        var found: [SourceFinding] = []
        while found.isEmpty {
            let isState = script.question().url.hasSuffix("/state")
            let findings = script.give(200, isState ? "Running" : "PHX-AD-1", [:])
            if !isState { found = findings }
        }
        #expect(found == [.place(whole)])
    }
}
