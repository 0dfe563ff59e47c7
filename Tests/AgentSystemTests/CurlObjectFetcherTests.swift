internal import AgentCore
internal import AgentTestKit
internal import Testing

@testable internal import AgentSystem

@Suite("Downloads into files", .timeLimit(.minutes(1)))
struct CurlObjectFetcherTests {
    private let folder = TemporaryFolder()
    private var path: String { "\(folder.path)/x" }

    private func fetch(
        _ server: MisbehavingHTTPServer, limit: Int = 100, stall: Duration? = nil
    ) async -> Result<HTTPResponse, FetchFailure> {
        let fetcher = CurlObjectFetcher(settings: CurlSettings(userAgent: "test"), clocks: CurlTestClocks())
        var request = HTTPRequest(.get, server.url, timeout: .seconds(20))
        request.maximumResponseBytes = limit
        request.stallTimeout = stall
        let result: Result<HTTPResponse, FetchFailure>
        do throws(FetchFailure) {
            result = .success(try await fetcher.fetch(request, into: path, at: 3) { _ in })
        } catch {
            result = .failure(error)
        }
        await fetcher.close()
        server.stop()
        return result
    }

    private func write(_ text: String) throws {
        try LinuxFileStore().writeForThisBoot([UInt8](text.utf8), to: path, mode: 0o600)
    }

    private var content: String {
        String(decoding: (try? LinuxFileStore().read(path, limit: 1000)) ?? [], as: UTF8.self)
    }

    private static func part(_ body: String, status: String = "206 Partial Content", length: Int? = nil) -> String {
        "HTTP/1.1 \(status)\r\ncontent-length: \(length ?? body.utf8.count)\r\n\r\n\(body)"
    }

    @Test("The body lands at its offset and nowhere else")
    func offset() async throws {
        try write("0123456789")
        let answer = try await fetch(MisbehavingHTTPServer(.readRequest, .send(Self.part("abcd")))).get()
        #expect(answer.status == 206)
        #expect(answer.body.isEmpty)
        #expect(content == "012abcd789")
    }

    @Test("A refusal is in the answer and not in the file")
    func refusal() async throws {
        try write("0123456789")
        let server = MisbehavingHTTPServer(.readRequest, .send(Self.part("<Error/>", status: "403 Forbidden")))
        let answer = try await fetch(server).get()
        #expect(answer.body == [UInt8]("<Error/>".utf8))
        #expect(content == "0123456789")
    }

    @Test("More than was asked for is refused")
    func tooLarge() async throws {
        try write("0123456789")
        let answer = await fetch(MisbehavingHTTPServer(.readRequest, .send(Self.part("abcd"))), limit: 2)
        guard case .failure(.network(let failure)) = answer else { throw answer.unexpected }
        #expect(failure.kind == .tooLarge)
    }

    @Test("An answer that stands still is given up, however long it may take as a whole")
    func stall() async throws {
        try write("0123456789")
        let server = MisbehavingHTTPServer(.readRequest, .send(Self.part("ab", length: 50)), .hold)
        let answer = await fetch(server, stall: .seconds(1))
        guard case .failure(.network(let failure)) = answer else { throw answer.unexpected }
        #expect(failure.kind == .timeout)
        #expect(content == "012ab56789")
    }

    @Test("A file that cannot be written is the disk's failure, not the network's")
    func disk() async throws {
        let answer = await fetch(MisbehavingHTTPServer(.readRequest, .send(Self.part("abcd"))))
        guard case .failure(.disk(let failure)) = answer else { throw answer.unexpected }
        #expect(failure.errno == 2)
    }
}

private struct Unexpected: Error {
    var answer: String
}

extension Result where Success == HTTPResponse, Failure == FetchFailure {
    fileprivate var unexpected: any Error { Unexpected(answer: "\(self)") }
}
