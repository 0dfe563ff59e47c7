internal import AgentCore
internal import AgentTestKit
internal import AgentWire
internal import Testing

@testable internal import AgentRuntime

@Suite struct PollOutcomeTests {
    private func outcome(_ response: HTTPResponse) -> PollOutcome {
        PollOutcome(response, defaults: AssignmentDefaults())
    }

    @Test(
        "An answer that is no assignment is a control plane in trouble, in words",
        arguments: [
            (200, "<html>login</html>", "HTML"), (200, #"{"generation":1,"#, "not valid JSON"), (200, "", "empty"),
            (500, "", "answered 500"), (401, "", "401"), (403, "", "403"), (302, "", "answered 302"),
        ])
    func trouble(status: Int, body: String, words: String) {
        guard case .failed(let reason) = outcome(.answer(status, body)) else {
            Issue.record("\(status) was taken for an answer")
            return
        }
        #expect(reason.contains(words))
    }

    @Test(
        "What is declared to be something else than JSON is not read as an assignment",
        arguments: [
            ("text/html; charset=utf-8", false), ("application/octet-stream", false), ("", false),
            ("application/json", true), ("Application/JSON;charset=utf-8", true),
            ("application/vnd.acme.assignment+json", true),
        ])
    func contentType(type: String, isRead: Bool) {
        let outcome = outcome(.answer(200, #"{"generation":7,"model":".."}"#, headers: ["content-type": type]))
        guard case .failed(let reason) = outcome else { return #expect(isRead) }
        #expect(!isRead)
        #expect(reason.contains("not JSON"))
    }

    @Test("404 is no assignment yet, 304 nothing new, 410 the end")
    func quietAnswers() {
        #expect(outcome(.answer(404)) == .answered(nil, etag: nil))
        #expect(outcome(.answer(304)) == .unchanged)
        #expect(outcome(.answer(410)) == .revoked)
    }

    @Test("A bad assignment is not asked for again: its generation is the next poll's ETag")
    func rejectedIsRemembered() {
        let outcome = outcome(.answer(200, #"{"generation":7,"model":".."}"#))
        guard case .answered(.assignmentRejected(7, _), let etag) = outcome else {
            Issue.record("not rejected: \(outcome)")
            return
        }
        #expect(etag == "\"7\"")
    }

    @Test(
        "An ETag that no request could bring back is none, or every poll from then on would fail",
        arguments: [
            (#""7-a""#, true), (#"W/"7-a""#, true), ("\"a\tb\"", false), ("\"a\u{1}b\"", false), ("", false),
            ("\"\u{E9}\"", false), (String(repeating: "x", count: 40_000), false),
        ])
    func etag(sent: String, isKept: Bool) {
        for body in [AgentRig.assignment(generation: 7), #"{"generation":7,"model":".."}"#] {
            guard case .answered(_, let etag) = outcome(.answer(200, body, headers: ["etag": sent])) else {
                Issue.record("no answer")
                continue
            }
            #expect(etag == (isKept ? sent : #""7""#))
        }
    }

    @Test(
        "Events: what to send again, what to set aside",
        arguments: [
            (202, EventVerdict.accepted), (400, .refused), (413, .refused), (422, .refused), (401, .deferred),
            (403, .deferred), (404, .deferred), (402, .refused), (451, .refused), (408, .tryAgain),
            (425, .tryAgain), (429, .tryAgain), (500, .tryAgain), (503, .tryAgain),
        ])
    func verdicts(status: Int, verdict: EventVerdict) {
        #expect(EventVerdict(status: status) == verdict)
    }

    @Test("A page of HTML is not an acknowledgement, whatever its status")
    func captivePortal() {
        #expect(EventVerdict(status: 200, contentType: "text/html; charset=utf-8") == .tryAgain)
        #expect(EventVerdict(status: 202, contentType: "application/json") == .accepted)
        #expect(EventVerdict(status: 204) == .accepted)
        #expect(EventVerdict(status: 410) == .refused)
    }
}
