internal import AgentCore
internal import AgentTestKit
internal import Testing

@Suite struct RedactionTests {
    private let redaction = Redaction([Secret("abcdef"), Secret("abcdefgh-1"), Secret("short"), Secret("")])

    @Test(
        "Every known secret is replaced, the longest first, also where a limit cut it off",
        arguments: [
            ("key=abcdef.", "key=<redacted>."), ("abcdefabcdef", "<redacted><redacted>"),
            ("key abcdefgh-1 end", "key <redacted> end"), ("tail abcdefgh-", "tail <redacted>"),
            ("a short word", "a short word"), ("tail abcde", "tail abcde"), ("", ""), ("ü€ abcdefü", "ü€ <redacted>ü"),
        ])
    func replaces(text: String, redacted: String) {
        #expect(redaction.text(text) == redacted)
    }

    @Test("A report loses the assignment's secrets in message and evidence, and nothing else")
    func reports() {
        var assignment = Assignment.sample()
        assignment.store.sessionToken = Secret("session-token")
        assignment.callbackSecret = Secret("callback-secret")
        let report = FailureReport(
            .credentialsRejected, message: "bad key canary-access-key", process: "Worker",
            evidence: ["canary-secret-key", "x session-token x", "callback-secret", "kept"])
        let shown = Redaction(assignment.secrets).report(report)
        let expected = FailureReport(
            .credentialsRejected, message: "bad key <redacted>", process: "Worker",
            evidence: ["<redacted>", "x <redacted> x", "<redacted>", "kept"])
        #expect(shown == expected)
    }
}
