internal import AgentCore
internal import AgentTestKit
internal import Testing

@testable internal import AgentRuntime

@Suite struct CredentialRenewalTests {
    private static let file = "/run/crosslogic/engine.env"
    private let files = InMemoryFileStore(executables: ["/opt/vllm/bin/vllm"])

    private func effects() throws -> EngineEffects {
        let http = ScriptedHTTPClient { _ throws(HTTPFailure) in .answer(200) }
        let ports = AgentPorts.standIns(http: http, files: files, host: host)
        return EngineEffects(settings: try .sample(), ports: ports, outbox: .sample())
    }

    private let host = StandInEngineHost()

    private var renewed: Assignment {
        var renewed = Assignment.sample(generation: 2)
        renewed.store.secretAccessKey = Secret("new \\ \"key\"")
        return renewed
    }

    @Test("An engine of an earlier agent is started again with the newest credentials, and all else as it was")
    func adopted() async throws {
        let before = "HOME=\"/var/lib/a \\\\ b\"\nAWS_SECRET_ACCESS_KEY=\"old\"\nAWS_SESSION_TOKEN=\"old\"\n"
        try files.writeForThisBoot([UInt8](before.utf8), to: Self.file, mode: 0o600)
        host.setRunning(100)
        let effects = try effects()
        #expect(await effects.adopt((.sample(), .beginning), pending: []) != nil)
        await effects.renew(renewed)
        let lines = try #require(files.text(Self.file)).split(separator: "\n")
        #expect(lines.contains(#"HOME="/var/lib/a \\ b""#))
        #expect(lines.contains(#"AWS_SECRET_ACCESS_KEY="new \\ \"key\"""#))
        #expect(lines.contains(#"AWS_ACCESS_KEY_ID="canary-access-key""#))
        // The new ones have none.
        #expect(!lines.contains { $0.hasPrefix("AWS_SESSION_TOKEN") })
        #expect(files.mode(Self.file) == 0o600)
    }

    @Test("Where no engine runs, no credentials are written")
    func none() async throws {
        try await effects().renew(renewed)
        #expect(files.text(Self.file) == nil)
    }
}
