internal import AgentCore
internal import AgentTestKit
internal import Testing

@testable internal import AgentRuntime

struct LoadMemoryTests {
    private let files = InMemoryFileStore()
    private let log = CollectingLog()
    private static let path = "/var/lib/crosslogic/learned-loads.json"
    private static let load = MeasuredLoad(concurrency: 16, bytesPerSecond: 5e8)

    private func memory() throws -> LoadMemory {
        LoadMemory(
            settings: try .sample(),
            ports: .standIns(
                http: ScriptedHTTPClient { _ async throws(HTTPFailure) in .answer(500) }, files: files, log: log))
    }

    @Test("The next agent knows what this one has learned, for this model, GPU and region only")
    func learns() async throws {
        let assignment = Assignment.sample()
        #expect(await (try memory()).learned(for: assignment) == nil)
        await (try memory()).learn(.measured(Self.load), for: LoadKey(assignment))
        let steps = [SettingChange(setting: .memoryLimit, from: 8 << 30, to: 4 << 30)]
        await (try memory()).learn(.steppedDown(steps), for: LoadKey(assignment))
        let learned = await (try memory()).learned(for: assignment)
        #expect(learned == LearnedLoads(loads: [Self.load], highestMemoryLimit: 4 << 30))
        var elsewhere = assignment
        elsewhere.region = "eu-west-1"
        #expect(await (try memory()).learned(for: elsewhere) == nil)
    }

    @Test("A file that cannot be used is set aside and learning goes on")
    func damaged() async throws {
        try files.writeAtomically([UInt8]("{\"schema\":9".utf8), to: Self.path, mode: 0o600)
        let memory = try memory()
        #expect(await memory.learned(for: .sample()) == nil)
        await memory.learn(.measured(Self.load), for: LoadKey(.sample()))
        #expect(files.text("\(Self.path).bad") == "{\"schema\":9")
        #expect(log.lines.contains { $0.contains("learned-loads.json cannot be used") })
        #expect(await memory.learned(for: .sample())?.loads == [Self.load])
    }
}
