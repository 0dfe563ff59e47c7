internal import ControlPlane
internal import Testing

@Suite("The reader of calls")
struct NodeCallReaderTests {
    private static func read(_ text: String) -> NodeCallReader.Reading {
        NodeCallReader.read(Array(text.utf8))
    }

    private static let poll = """
        GET /api/v1/nodes/node-a1/assignment?wait=30 HTTP/1.1\r\nHost: example.org\r\n\
        Authorization: Bearer secret\r\nIf-None-Match: "7"\r\nAccept: application/json\r\n\r\n
        """

    @Test("recognises the four calls")
    func calls() throws {
        guard case .call(let poll) = Self.read(Self.poll) else { throw Unexpected() }
        #expect(poll.kind == .poll(seconds: 30, known: "\"7\""))
        #expect(poll.node == "node-a1")
        #expect(poll.token?.reveal() == "secret")
        #expect(poll.headBytes == Self.poll.utf8.count)
        #expect(poll.bodyBytes == 0)
        let head = "POST /api/v1/nodes/n/events HTTP/1.1\r\nhost:x\r\nauthorization: Bearer t\r\n"
        let type = "content-type: application/cloudevents-batch+json\r\n"
        let reading = Self.read(head + type + "content-length: 12\r\n\r\n[")
        guard case .call(let events) = reading else { throw Unexpected() }
        #expect(events.kind == .events(isBatch: true))
        #expect(events.bodyBytes == 12)
        guard case .call(let options) = Self.read("OPTIONS /api/v1/nodes/n/events HTTP/1.1\r\nHost: x\r\n\r\n") else {
            throw Unexpected()
        }
        #expect(options.kind == .options)
        #expect(options.token == nil)
    }

    private struct Unexpected: Error {}

    @Test("waits for the end of the head, however the bytes come")
    func pieces() {
        for count in 0..<Self.poll.utf8.count {
            #expect(NodeCallReader.read(Array(Self.poll.utf8).prefix(count)) == .incomplete, "\(count)")
        }
        #expect(Self.read(String(repeating: "x", count: 5000)) == .somethingElse)
    }

    @Test(
        "leaves to the server what it is not sure of",
        arguments: [
            ("GET ", "PATCH "), ("GET ", "OPTIONS "), ("HTTP/1.1", "HTTP/1.0"),
            ("wait=30", "wait=99"), ("wait=30", "wait=3&x=1"),
            ("wait=30", "wait=%33"), ("/assignment", "/../assignment"), ("/node-a1/", "/node%2da1/"),
            ("/node-a1/", "//"), ("/api/v1/nodes", "http://x/api/v1/nodes"), ("Bearer secret", "Basic c2Vj"),
            ("Bearer secret", "bearer"), ("Host: example.org", "X: y"), ("Host: example.org", "Host: a\r\nHost: b"),
            ("Accept:", "Transfer-Encoding:"), ("Accept:", "Connection:"), ("Accept:", "Expect:"),
            ("Accept:", "Upgrade:"), ("Accept: application/json", "Content-Length: 0"),
            ("Accept:", "Content-Type:"), ("Accept:", "Authorization:"), ("Accept:", "If-None-Match:"),
            ("Accept:", "Accept :"), ("Accept:", " Accept:"), ("Accept:", "Acc\u{0}ept:"), ("Accept:", "Accept\n:"),
            ("json\r\n\r\n", "json\r\n folded\r\n\r\n"), ("application/json", "no-colon\r\nx"),
        ])
    func somethingElse(part: String, other: String) {
        let changed = Self.poll.replacing(part, with: other, maxReplacements: 1)
        #expect(changed != Self.poll)
        #expect(Self.read(changed) == .somethingElse)
    }

    @Test(
        "takes no length that an HTTP server would read otherwise",
        arguments: ["-1", "+1", "1 ", "0x1", "", "1,1", "9999999"])
    func lengths(text: String) {
        let head = "PUT /api/v1/nodes/n/heartbeat HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer t\r\n"
        let type = "Content-Type: application/json\r\n"
        #expect(Self.read(head + type + "Content-Length: \(text)\r\n\r\n") == .somethingElse)
        #expect(Self.read(head + type + "\r\n") == .somethingElse)
    }
}
