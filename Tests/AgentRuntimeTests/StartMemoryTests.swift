internal import AgentCore
internal import AgentTestKit
internal import Testing

@testable internal import AgentRuntime

struct StartMemoryTests {
    private let files = InMemoryFileStore()
    private let log = CollectingLog()
    private static let record = StartRecord(offsets: [.engineConfig: 8], ready: 30)

    private func memory() throws -> StartMemory {
        StartMemory(
            settings: try .sample(),
            ports: .standIns(
                http: ScriptedHTTPClient { _ async throws(HTTPFailure) in .answer(500) }, files: files,
                log: log))
    }

    @Test("A first start knows nothing; the next agent of the same boot does, once a second start was learned")
    func learns() async throws {
        let first = try memory()
        #expect(await first.expectation(for: .sample(), on: nil) == nil)
        await first.learn(Self.record)
        let second = try memory()
        #expect(await second.expectation(for: .sample(), on: nil) == nil, "the first since boot is another kind")
        await second.learn(Self.record)
        #expect(await (try memory()).expectation(for: .sample(), on: nil)?.ready == 30)
    }

    @Test("A file that cannot be used is said and replaced")
    func damaged() async throws {
        try files.writeAtomically(
            [UInt8]("{\"schema\":".utf8), to: "/var/lib/crosslogic/learned-starts.json", mode: 0o600)
        let memory = try memory()
        #expect(await memory.expectation(for: .sample(), on: nil) == nil)
        #expect(log.lines.contains { $0.contains("learned-starts.json cannot be used") })
        await memory.learn(Self.record)
        #expect(try files.read("/var/lib/crosslogic/learned-starts.json", limit: 4096)?.isEmpty == false)
    }
}
