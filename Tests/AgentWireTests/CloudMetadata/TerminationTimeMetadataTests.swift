internal import AgentCore
internal import AgentWire
internal import Testing

@Suite struct TerminationTimeMetadataTests {
    private static let date = ["date": "Mon, 05 Jan 2015 18:00:00 GMT"]

    @Test("Alibaba: a token first, then one line with the time")
    func alibaba() throws {
        var script = SourceScript(TerminationTimeMetadata(.alibaba))
        let first = script.question()
        #expect(first.method == .put)
        #expect(first.url == "http://100.100.100.200/latest/api/token")
        _ = script.give(200, "token", [:])
        let second = script.question()
        #expect(second.headers["X-aliyun-ecs-metadata-token"] == "token")
        let sighting = try #require(script.give(200, "2015-01-05T18:05:00Z", Self.date).sighting)
        #expect(sighting.deadline == script.now + .seconds(300))
    }

    @Test("Tencent: the time is Beijing's, and 404 is nothing pending")
    func tencent() throws {
        var script = SourceScript(TerminationTimeMetadata(.tencent))
        #expect(script.question().url == "http://metadata.tencentyun.com/latest/meta-data/spot/termination-time")
        #expect(script.give(404, "<html>", [:]) == [.listed(key: "termination-time", [])])
        let findings = script.answer("termination-time", 200, "2015-01-06 02:02:00", headers: Self.date)
        #expect(try #require(findings.sighting).deadline == script.now + .seconds(120))
    }

    @Test("A line that is no time is no answer", arguments: ["", "soon", "<html>"])
    func nonsense(body: String) {
        var script = SourceScript(TerminationTimeMetadata(.tencent))
        #expect(script.answer("termination-time", 200, body).isOneFailure)
    }

    @Test("A token that has ended is replaced")
    func token() {
        var script = SourceScript(TerminationTimeMetadata(.alibaba))
        #expect(script.answer("termination-time", 401).isOneFailure)
        #expect(script.question().method == .put)
    }
}
