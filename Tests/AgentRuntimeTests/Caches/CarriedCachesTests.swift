internal import AgentCore
internal import AgentTestKit
internal import Locking
internal import Testing

@testable internal import AgentRuntime

@Suite("Carried caches before a start")
struct CarriedCachesTests {
    private struct IdleCarrier: CacheCarrier {
        let outgoing = "/state/caches/outgoing"
        let incoming = "/state/caches/incoming"
        var packs = true
        func prepareIncoming() async throws(FileFailure) {}
        func pack() async throws(FileFailure) {
            if !packs { throw FileFailure(operation: "write", path: outgoing, errno: 28, reason: "no space") }
        }
        func unpack() async throws(FileFailure) {}
        func clean() async {}
    }

    /// Of the right length, and different for what is different.
    private struct MixingSigner: MessageSigner {
        func hmacSHA256(_ message: [UInt8], key: [UInt8]) -> [UInt8] { sha256(key + [0] + message) }

        func sha256(_ message: [UInt8]) -> [UInt8] {
            (0..<32).map { number in
                message.reduce(UInt64(number)) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }.leadingByte
            }
        }
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

    private func restore(
        _ settings: AgentSettings, _ http: ScriptedHTTPClient, patience: Duration = .seconds(60)
    ) async -> [String] {
        let log = CollectingLog()
        var ports = AgentPorts.standIns(http: http, log: log)
        ports.cacheCarrier = IdleCarrier()
        await CarriedCaches(settings: settings, ports: ports, patience: patience).restore(for: .sample(), on: install)
        return log.lines
    }

    @Test("A store that never answers does not hold up the start")
    func silentStore() async throws {
        let http = ScriptedHTTPClient { _ async throws(HTTPFailure) in try await neverAnswers() }
        let lines = await restore(try settings(), http, patience: .milliseconds(20))
        #expect(lines.count == 1)
        #expect(lines.first?.hasPrefix("carried caches are not used: not there after") == true)
    }

    @Test("What comes a part at a time, and too slowly, is given up as a whole; nobody writes over it")
    func slowParts() async throws {
        let http = store { request async throws(HTTPFailure) in
            guard let key = request.url.split(separator: "/").dropLast().last, request.url.hasSuffix("/manifest") else {
                return try await neverAnswers()
            }
            return .answer(200, (try? Self.manifest(for: String(key))) ?? "")
        }
        let log = CollectingLog()
        let caches = try carried(http, log, patience: .milliseconds(20))
        await caches.restore(for: .sample(), on: install)
        let verdicts = await settle(caches)
        #expect(verdicts.map(\.outcome) == [.late])
        #expect(log.lines.count == 1)
        #expect(log.lines.first?.hasPrefix("carried caches are not used: not there after") == true)
        #expect(!http.asked.contains { $0.method == .put })
    }

    @Test("A store that lets nobody write is told of once, after what the start is told to be")
    func refusedWriting() async throws {
        let http = store { request async throws(HTTPFailure) in
            request.method == .put ? .answer(403, "<Error><Code>AccessDenied</Code></Error>") : .answer(404)
        }
        let log = CollectingLog()
        let files = InMemoryFileStore()
        try files.writeForThisBoot(Array("- 7 modelinfos/a".utf8), to: "/state/caches/outgoing/index", mode: 0o600)
        try files.writeForThisBoot(Array("content".utf8), to: "/state/caches/outgoing/part-00000", mode: 0o600)
        let caches = try carried(http, log, files)
        await caches.restore(for: .sample(), on: install)
        let verdicts = await settle(caches)
        #expect(verdicts.map(\.outcome) == [.absent])
        #expect(log.lines.last == "caches are not carried: the store: 403 AccessDenied")
        #expect(http.asked.count { $0.method == .put } == 1)
    }

    @Test("Parts of an earlier manifest go with it; those another node may just be writing stay, and what is not ours")
    func unnamedParts() async throws {
        let files = InMemoryFileStore()
        try files.writeForThisBoot(Array("- 7 modelinfos/a".utf8), to: "/state/caches/outgoing/index", mode: 0o600)
        try files.writeForThisBoot(Array("content".utf8), to: "/state/caches/outgoing/part-00000", mode: 0o600)
        let named = Hexadecimal.text(MixingSigner().sha256(Array("content".utf8)))
        let (old, young) = (String(repeating: "1", count: 64), String(repeating: "2", count: 64))
        let written = Mutex<String?>(nil)
        let http = ScriptedHTTPClient { request async throws(HTTPFailure) in
            if request.method == .put {
                written.withLock { $0 = request.url.split(separator: "/").dropLast().last.map(String.init) }
            }
            guard request.url.contains("list-type") else { return .answer(request.method == .get ? 404 : 200) }
            let objects = [
                ("manifest", "12:00:00"), (named, "09:00:00"), (old, "10:59:59"), (young, "11:30:00"),
                ("readme", "09:00:00"),
            ]
            let key = written.withLock { $0 }
            let listed = objects.map { name, time in
                "<Contents><Key>some/prefix/\(key ?? "")/\(name)</Key><Size>7</Size>"
                    + "<LastModified>2026-11-22T\(time).000Z</LastModified></Contents>"
            }
            let contents = key == nil ? "" : listed.joined()
            return .answer(
                200, "<ListBucketResult><IsTruncated>false</IsTruncated>\(contents)</ListBucketResult>")
        }
        let caches = try carried(http, CollectingLog(), files)
        await caches.restore(for: .sample(), on: install)
        #expect(await settle(caches).map(\.outcome) == [.absent])
        let removed = http.asked.filter { $0.method == .delete }.compactMap { $0.url.split(separator: "/").last }
        #expect(removed == [old[...]])
    }

    @Test("What cannot be packed does not hide what the log has told", arguments: [true, false])
    func unpacked(isLoaded: Bool) async throws {
        let content = Array("content".utf8)
        let http = store { request async throws(HTTPFailure) in
            guard let key = request.url.split(separator: "/").dropLast().last, request.url.hasSuffix("/manifest") else {
                return .answer(200, "content")
            }
            let part = Hexadecimal.text(MixingSigner().sha256(content))
            return .answer(200, (try? Self.manifest(for: String(key), part: part)) ?? "")
        }
        let log = CollectingLog()
        let caches = try carried(http, log, packs: false)
        await caches.restore(for: .sample(), on: install)
        if isLoaded { caches.note(.compileCacheHit) }
        let verdicts = await settle(caches)
        #expect(verdicts.map(\.outcome) == [isLoaded ? .used : .failed])
        #expect(verdicts.map(\.files) == [isLoaded ? 1 : 0])
        #expect(log.lines.last == "caches are not carried: write /state/caches/outgoing: no space")
    }

    /// Lists nothing; the rest is for `answer`.
    private func store(_ answer: @escaping ScriptedHTTPClient.Answer) -> ScriptedHTTPClient {
        ScriptedHTTPClient { request async throws(HTTPFailure) in
            guard request.url.contains("list-type") else { return try await answer(request) }
            return .answer(200, "<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>")
        }
    }

    private func carried(
        _ http: ScriptedHTTPClient, _ log: CollectingLog, _ files: InMemoryFileStore = InMemoryFileStore(),
        packs: Bool = true, patience: Duration = .seconds(60)
    ) throws -> CarriedCaches {
        var ports = AgentPorts.standIns(http: http, files: files, log: log)
        ports.cacheCarrier = IdleCarrier(packs: packs)
        ports.signer = MixingSigner()
        return CarriedCaches(settings: try settings(), ports: ports, patience: patience)
    }

    private func settle(_ caches: CarriedCaches) async -> [CacheVerdict] {
        let told = Mutex<[CacheVerdict]>([])
        await caches.settle { _, verdict in told.withLock { $0.append(verdict) } }
        return told.withLock { $0 }
    }

    private static func manifest(
        for key: String, part: String = String(repeating: "0", count: 64)
    ) throws -> String {
        let signer = MixingSigner()
        let file = CacheBundle.File(path: "modelinfos/a", bytes: 7, isExecutable: false)
        var manifest = CacheManifest(
            key: CacheKey([], signer: signer), parts: [part],
            bundle: try CacheBundle([file]))
        manifest.key = key
        let secret = Secret("0123456789abcdef0123456789abcdef")
        return String(decoding: manifest.signed(with: secret, signer), as: UTF8.self)
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

extension UInt64 {
    fileprivate var leadingByte: UInt8 { UInt8(self >> 56) }
}
