internal import AgentCore
internal import AgentTestKit
internal import Testing

@testable internal import AgentRuntime

@Suite("Preflight against a store that answers what the test says")
struct PreflightTests {
    private static let shard = "model-00001-of-00001.safetensors"

    /// A file whose header alone is longer than what is asked for at first.
    private static func file(padding: Int) -> [UInt8] {
        let json = "{\"a\":{\"data_offsets\":[0,4]}}" + String(repeating: " ", count: padding)
        let length = UInt64(json.utf8.count)
        return (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) } + json.utf8 + [1, 2, 3, 4]
    }

    private static func listing(_ bytes: Int) -> String {
        func object(_ name: String, _ bytes: Int) -> String {
            "<Contents><Key>acme/tiny-llama/\(name)</Key><Size>\(bytes)</Size></Contents>"
        }
        let objects = object(shard, bytes) + object("config.json", 2) + object("tokenizer.json", 2)
        return "<ListBucketResult>\(objects)<IsTruncated>false</IsTruncated></ListBucketResult>"
    }

    private static func part(of file: [UInt8], _ request: HTTPRequest) -> HTTPResponse {
        let range = request.headers.first { $0.name == "range" }?.value.reveal().dropFirst("bytes=".count) ?? ""
        let ends = range.split(separator: "-").compactMap { Int($0) }
        let body = Array(file[ends[0]...min(ends[1], file.count - 1)])
        return HTTPResponse(status: 206, headers: [:], body: body, firstByteAt: BootInstant(nanoseconds: 0))
    }

    private func report(
        _ answer: @escaping @Sendable (HTTPRequest) async throws(HTTPFailure) -> HTTPResponse
    ) async throws -> (PreflightReport, [HTTPRequest]) {
        let http = ScriptedHTTPClient(answer)
        let files = InMemoryFileStore(executables: ["/opt/vllm/bin/vllm"])
        let preflight = Preflight(settings: try .sample(), ports: .standIns(http: http, files: files))
        let report = await preflight.judge(.sample()).report
        return (report, http.asked)
    }

    @Test("A header longer than the first read is read to its end")
    func longHeader() async throws {
        let file = Self.file(padding: 40_000)
        let (report, asked) = try await report { request async throws(HTTPFailure) in
            if request.url.contains("list-type=2") { return .answer(200, Self.listing(file.count)) }
            if request.url.hasSuffix("index.json") { return .answer(404) }
            return Self.part(of: file, request)
        }
        #expect(report.findings.first { $0.check == .sizes }?.level == .ok)
        #expect(report.weightBytes == UInt64(file.count))
        #expect(asked.filter { $0.url.hasSuffix(Self.shard) }.count == 2)
        #expect(asked.allSatisfy { $0.timeout <= .seconds(5) })
    }

    @Test("A store that is busy is asked twice, and then warned about")
    func busy() async throws {
        let (report, asked) = try await report { request async throws(HTTPFailure) in .answer(503) }
        #expect(report.failure == nil)
        #expect(report.findings.first { $0.check == .endpoint }?.level == .warn)
        #expect(asked.filter { $0.url.contains("list-type=2") }.count == 2)
    }

    @Test("A connection that is refused is tried twice before it counts")
    func refused() async throws {
        let (report, asked) = try await report { request async throws(HTTPFailure) in
            throw HTTPFailure(.connect, "refused")
        }
        #expect(report.failure?.failure == .endpointUnreachable)
        #expect(asked.filter { $0.url.contains("list-type=2") }.count == 2)
    }

    @Test("A listing in pages is followed")
    func pages() async throws {
        let file = Self.file(padding: 0)
        let (report, asked) = try await report { request async throws(HTTPFailure) in
            if request.url.contains("continuation-token=next%2F1") { return .answer(200, Self.listing(file.count)) }
            if request.url.contains("list-type=2") {
                return .answer(
                    200,
                    "<ListBucketResult><IsTruncated>true</IsTruncated>"
                        + "<NextContinuationToken>next/1</NextContinuationToken></ListBucketResult>")
            }
            if request.url.hasSuffix("index.json") { return .answer(404) }
            return Self.part(of: file, request)
        }
        #expect(report.findings.first { $0.check == .weights }?.level == .ok)
        #expect(asked.filter { $0.url.contains("list-type=2") }.count == 2)
    }
}
