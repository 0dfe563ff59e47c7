internal import AgentCore
internal import AgentSystem
internal import AgentTestKit
internal import AgentWire
internal import Testing

@Suite("Requests to the object store")
struct S3RequestsTests {
    private func requests(_ endpoint: String, token: String? = nil) -> S3Requests {
        var store = Assignment.sample().store
        store.endpoint = endpoint
        store.sessionToken = token.map(Secret.init)
        return S3Requests(
            store: store, bucket: "models", signer: OpenSSLMessageSigner(), wallTime: { 1_369_353_600 })
    }

    private func header(_ name: String, of request: HTTPRequest) -> String? {
        request.headers.first { $0.name == name }?.value.reveal()
    }

    @Test("Addresses the bucket in the path and asks for the region auto")
    func pathStyle() throws {
        let request = requests("https://account.r2.cloudflarestorage.com/").list(prefix: "meta llama/x+y/")
        #expect(
            request.url == "https://account.r2.cloudflarestorage.com/models"
                + "?list-type=2&prefix=meta%20llama%2Fx%2By%2F&max-keys=1000")
        let authorization = try #require(header("Authorization", of: request))
        #expect(authorization.contains("/20130524/auto/s3/aws4_request,"))
        #expect(authorization.contains("SignedHeaders=host;x-amz-content-sha256;x-amz-date,"))
        #expect(header("x-amz-date", of: request) == "20130524T000000Z")
    }

    @Test("Signs a session token and the range of a part")
    func tokenAndRange() throws {
        let request = requests("http://127.0.0.1:9000", token: "temporary").get("a/model.safetensors", range: 0..<16)
        #expect(request.url == "http://127.0.0.1:9000/models/a/model.safetensors")
        #expect(header("range", of: request) == "bytes=0-15")
        #expect(request.maximumResponseBytes == 16)
        let authorization = try #require(header("Authorization", of: request))
        #expect(authorization.contains("host;range;x-amz-content-sha256;x-amz-date;x-amz-security-token,"))
    }

    @Test("The signature does not depend on a port that is the scheme's own")
    func standardPort() {
        let plain = header("Authorization", of: requests("https://store.test").list(prefix: "m/"))
        #expect(header("Authorization", of: requests("https://store.test:443").list(prefix: "m/")) == plain)
        #expect(header("Authorization", of: requests("https://store.test:8443").list(prefix: "m/")) != plain)
    }

    @Test(
        "Reads HTTP dates and RFC 3339 times",
        arguments: [
            ("Sun, 06 Nov 1994 08:49:37 GMT", 784_111_777.0), ("Thu, 29 Feb 2024 23:59:59 GMT", 1_709_251_199),
        ])
    func httpDates(_ text: String, _ seconds: Double) {
        #expect(WallClock.seconds(httpDate: text) == seconds)
        #expect(WallClock.seconds(rfc3339: WallClock.rfc3339(seconds)) == seconds)
    }

    @Test("Takes offsets into account and refuses what is no time", arguments: ["", "yesterday", "2024-02-29"])
    func otherTimes(_ nonsense: String) {
        #expect(WallClock.seconds(rfc3339: "1994-11-06T09:49:37+01:00") == 784_111_777)
        #expect(WallClock.seconds(rfc3339: "1994-11-06T08:49:37.25Z") == 784_111_777)
        #expect(WallClock.seconds(rfc3339: nonsense) == nil)
        #expect(WallClock.seconds(httpDate: nonsense) == nil)
    }
}
