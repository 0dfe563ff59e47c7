internal import AgentCore
internal import AgentTestKit
internal import Testing

@testable internal import AgentRuntime

@Suite("Carried caches before a start")
struct CarriedCachesTests {
    private struct IdleCarrier: CacheCarrier {
        let outgoing = "/state/caches/outgoing"
        let incoming = "/state/caches/incoming"
        func prepareIncoming() async throws(FileFailure) {}
        func pack() async throws(FileFailure) {}
        func unpack() async throws(FileFailure) {}
        func clean() async {}
    }

    private let install = EngineInstall(executable: "/opt/vllm/bin/vllm", vllm: EngineVersion(0, 32))

    private func settings(_ changes: [String: String] = [:]) throws -> AgentSettings {
        let own = [
            "CROSSLOGIC_CONTROL_PLANE_URL": "http://control.test", "CROSSLOGIC_NODE_ID": "node-1",
            "CROSSLOGIC_NODE_TOKEN": "token", "CROSSLOGIC_CACHE_URI": "s3://bucket/some/prefix/",
            "CROSSLOGIC_CACHE_SIGNING_KEY": "0123456789abcdef0123456789abcdef",
        ]
        return try AgentSettings(environment: own.merging(changes) { $1 }, tokenFile: nil)
    }

    private func restore(_ settings: AgentSettings, _ http: ScriptedHTTPClient) async -> [String] {
        let log = CollectingLog()
        var ports = AgentPorts.standIns(http: http, log: log)
        ports.cacheCarrier = IdleCarrier()
        await CarriedCaches(settings: settings, ports: ports, patience: .milliseconds(20))
            .restore(for: .sample(), on: install)
        return log.lines
    }

    @Test("A store that never answers does not hold up the start")
    func silentStore() async throws {
        let http = ScriptedHTTPClient { _ async throws(HTTPFailure) in try await neverAnswers() }
        let lines = await restore(try settings(), http)
        #expect(lines.count == 1)
        #expect(lines.first?.hasPrefix("carried caches are not used: not there after") == true)
    }

    @Test("Nothing is asked where nothing is to be carried")
    func turnedOff() async throws {
        let http = ScriptedHTTPClient { _ async throws(HTTPFailure) in .answer(500) }
        #expect(await restore(try .sample(), http) == [])
        #expect(http.asked.isEmpty)
    }

    @Test("The model is listed with the assignment's credentials, the caches are read with their own")
    func credentials() async throws {
        let http = emptyStore
        let own = try settings(["CROSSLOGIC_CACHE_ACCESS_KEY": "caches", "CROSSLOGIC_CACHE_SECRET_KEY": "secret"])
        #expect(await restore(own, http) == ["carried caches: none for this start yet"])
        let signatures = http.asked.map { request in
            request.headers.first { $0.name == "Authorization" }?.value.reveal().contains("Credential=caches/")
        }
        #expect(signatures == [false, true])
        #expect(http.asked.last?.url.contains("/bucket/some/prefix/") == true)
    }

    @Test("What was brought beside an engine that serves is there for the start of that assignment and of no other")
    func ahead() async throws {
        let http = emptyStore
        let caches = try caches(http)
        await caches.restoreAhead(for: .sample(generation: 2), on: install)
        let asked = http.asked.count
        #expect(asked > 0)
        await caches.restore(for: .sample(generation: 2), on: install)
        #expect(http.asked.count == asked)
        await caches.settle { _, _ in }
        await caches.restoreAhead(for: .sample(generation: 3), on: install)
        await caches.restore(for: .sample(generation: 4), on: install)
        #expect(http.asked.count >= 3 * asked)
    }

    @Test("Nothing is brought beside an engine whose own caches are not packed yet")
    func unsettled() async throws {
        let http = emptyStore
        let caches = try caches(http)
        await caches.restore(for: .sample(), on: install)
        let asked = http.asked.count
        await caches.restoreAhead(for: .sample(generation: 2), on: install)
        #expect(http.asked.count == asked)
        await caches.settle { _, _ in }
        await caches.restoreAhead(for: .sample(generation: 2), on: install)
        #expect(http.asked.count > asked)
    }

    private var emptyStore: ScriptedHTTPClient {
        ScriptedHTTPClient { request async throws(HTTPFailure) in
            guard request.url.contains("list-type") else { return .answer(404) }
            return .answer(200, "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>")
        }
    }

    private func caches(_ http: ScriptedHTTPClient) throws -> CarriedCaches {
        var ports = AgentPorts.standIns(http: http)
        ports.cacheCarrier = IdleCarrier()
        return CarriedCaches(settings: try settings(), ports: ports)
    }

    @Test(
        "Settings that cannot work are named",
        arguments: [
            (["CROSSLOGIC_CACHE_URI": "bucket/prefix"], "CROSSLOGIC_CACHE_URI"),
            (["CROSSLOGIC_CACHE_URI": "s3://"], "CROSSLOGIC_CACHE_URI"),
            (["CROSSLOGIC_CACHE_SIGNING_KEY": "short"], "CROSSLOGIC_CACHE_SIGNING_KEY"),
            (["CROSSLOGIC_CACHE_SIGNING_KEY": ""], "CROSSLOGIC_CACHE_SIGNING_KEY"),
            (["CROSSLOGIC_CACHE_ACCESS_KEY": "alone"], "CROSSLOGIC_CACHE_SECRET_KEY"),
            (["CROSSLOGIC_CACHE_LIMIT": "-1"], "CROSSLOGIC_CACHE_LIMIT"),
            (["CROSSLOGIC_START_SAVINGS": "warp_drive"], "CROSSLOGIC_START_SAVINGS"),
        ])
    func badSettings(_ changes: [String: String], _ field: String) {
        #expect {
            _ = try settings(changes)
        } throws: { error in
            (error as? SettingsFaults)?.faults.map(\.field) == [field]
        }
    }

    @Test("Savings are turned on and off by name")
    func savings() throws {
        let wishes = try settings(["CROSSLOGIC_START_SAVINGS": "no_plugins, -inductor_cache"]).savings
        #expect(wishes.on == [.noPlugins])
        #expect(wishes.off == [.inductorCache])
    }
}
