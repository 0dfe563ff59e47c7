internal import AgentCore
internal import AgentTestKit
internal import Testing

@Suite("What a store means for a start")
struct StoreJudgeTests {
    private static let shard = ShardHeader(headerBytes: 100, dataBytes: 900, tensors: 3, largestTensorBytes: 500)

    /// Four shards, an index, configuration and tokenizer; each test breaks something.
    private static func healthy() -> ObservedStore {
        let shards = (1...4).map { "model-0000\($0)-of-00004.safetensors" }
        let others = ["config.json", "tokenizer.json", "model.safetensors.index.json", "original/params.json"]
        let objects =
            shards.map { StoredObject(name: $0, bytes: 1000) } + others.map { StoredObject(name: $0, bytes: 10) }
        var store = ObservedStore(
            endpoint: "https://store.test", bucket: "models", prefix: "acme/tiny/",
            listing: .objects(objects, isComplete: true))
        store.index = .found(WeightIndex(files: Set(shards)))
        store.shards = Dictionary(uniqueKeysWithValues: shards.map { ($0, .found(shard)) })
        store.clockAhead = 0.4
        return store
    }

    private func troubles(
        _ assignment: Assignment = .sample(), use: StoreJudge.Use = .streamed, expiresAt: Double? = nil,
        change: (inout ObservedStore) -> Void
    ) -> [PreflightFinding] {
        var store = Self.healthy()
        change(&store)
        let judge = StoreJudge(store, for: assignment, use: use, wallTime: 1000, expiresAt: expiresAt)
        return judge.findings().filter { $0.level > .ok }
    }

    private func remove(_ name: String) -> (inout ObservedStore) -> Void {
        { store in
            store.listing = .objects(store.objects.filter { $0.name != name }, isComplete: true)
            store.shards[name] = nil
        }
    }

    @Test("A healthy store has nothing to find fault with, and every check says so")
    func nothing() {
        let findings = StoreJudge(Self.healthy(), for: .sample(), use: .streamed, wallTime: 1000).findings()
        #expect(findings.allSatisfy { $0.level == .ok })
        #expect(
            Set(findings.map(\.check)) == [
                .endpoint, .credentials, .bucket, .clock, .model, .configuration, .tokenizer, .weights, .shards, .sizes,
            ])
    }

    static let refusals: [(Int, String?, FailureClass)] = [
        (403, "InvalidAccessKeyId", .credentialsRejected), (403, "SignatureDoesNotMatch", .credentialsRejected),
        (403, "AccessDenied", .credentialsRejected), (401, "Unauthorized", .credentialsRejected),
        (400, "ExpiredToken", .credentialsRejected), (403, nil, .credentialsRejected),
        (404, "NoSuchBucket", .bucketMissing), (400, "InvalidBucketName", .bucketMissing),
        (403, "RequestTimeTooSkewed", .clockSkewed),
    ]

    @Test("An error of the store is told by its class", arguments: refusals)
    func refused(_ status: Int, _ code: String?, _ expected: FailureClass) {
        let found = troubles { $0.listing = .trouble(.refused(status: status, code: code)) }
        #expect(found.map(\.failure) == [expected])
        #expect(found.map(\.level) == [.fatal])
    }

    @Test(
        "A store that is slow, busy, odd or behind an authority of its own does not stop a start",
        arguments: [
            StoreTrouble.refused(status: 503, code: "SlowDown"), .refused(status: 500, code: nil),
            .refused(status: 301, code: "PermanentRedirect"), .noAnswer(HTTPFailure(.timeout, "timed out")),
            .noAnswer(HTTPFailure(.tls, "unknown authority")), .notUnderstood("HTML"),
        ])
    func undecided(_ trouble: StoreTrouble) {
        #expect(troubles { $0.listing = .trouble(trouble) }.map(\.level) == [.warn])
    }

    @Test(
        "A store that cannot be reached ends this try and not the next",
        arguments: [HTTPFailure.Kind.connect, .resolve])
    func unreachable(_ kind: HTTPFailure.Kind) {
        let found = troubles { $0.listing = .trouble(.noAnswer(HTTPFailure(kind, "refused"))) }
        #expect(found.map(\.failure) == [.endpointUnreachable])
        #expect(PreflightReport(findings: found, seconds: 0).failure?.failure.retryPolicy == .retry)
    }

    @Test("An empty prefix, and one without config.json, hold no model")
    func model() {
        #expect(troubles { $0.listing = .objects([], isComplete: true) }.map(\.failure) == [.modelMissing])
        #expect(troubles(change: remove("config.json")).map(\.level) == [.fatal])
        var elsewhere = Assignment.sample()
        elsewhere.extraArguments = ["--hf-config-path", "/etc/model"]
        #expect(troubles(elsewhere, change: remove("config.json")).map(\.level) == [.warn])
        #expect(troubles(change: remove("tokenizer.json")).map(\.check) == [.tokenizer])
    }

    @Test("A shard that is missing is fatal, with an index and by its number without one")
    func missingShard() {
        let name = "model-00003-of-00004.safetensors"
        let byIndex = troubles(change: remove(name))
        #expect(byIndex.map(\.failure) == [.weightsIncomplete])
        #expect(byIndex.first?.message.contains(name) == true)
        let byNumber = troubles { store in
            remove(name)(&store)
            store.index = .absent
        }
        #expect(byNumber.map(\.failure) == [.weightsIncomplete])
    }

    @Test("Weights in Mistral's own form do not need the index that was left beside them")
    func consolidated() {
        let found = troubles { store in
            let others = ["params.json", "tekken.json", "model.safetensors.index.json", "consolidated.safetensors"]
            store.listing = .objects(others.map { StoredObject(name: $0, bytes: 1000) }, isComplete: true)
            store.shards = ["consolidated.safetensors": .found(Self.shard)]
        }
        #expect(found.allSatisfy { $0.level == .warn })
        #expect(Set(found.map(\.check)) == [.shards, .strays])
    }

    @Test("What was not looked at to the end is not called missing")
    func incompleteListing() {
        let found = troubles { store in
            remove("model-00003-of-00004.safetensors")(&store)
            store.listing = .objects(store.objects, isComplete: false)
        }
        #expect(found.map(\.level) == [.warn])
    }

    @Test("A shard shorter than its header says is fatal; a longer one is read all the same")
    func sizes() {
        func resized(to bytes: UInt64) -> [PreflightFinding] {
            troubles { store in
                var objects = store.objects
                objects[1].bytes = bytes
                store.listing = .objects(objects, isComplete: true)
            }
        }
        #expect(resized(to: 999).map(\.failure) == [.weightsIncomplete])
        #expect(resized(to: 999).map(\.level) == [.fatal])
        #expect(resized(to: 1001).map(\.level) == [.warn])
    }

    @Test("What a head says about its file")
    func heads() {
        func head(_ seen: Observed<ShardHeader>) -> [PreflightFinding] {
            troubles { $0.shards["model-00002-of-00004.safetensors"] = seen }
        }
        #expect(head(.broken("HTML")).map(\.failure) == [.weightsFormat])
        #expect(head(.absent).map(\.failure) == [.weightsUnreadable])
        #expect(head(.trouble(.refused(status: 403, code: nil))).map(\.level) == [.fatal])
        #expect(head(.trouble(.refused(status: 503, code: nil))).map(\.level) == [.warn])
        #expect(head(.trouble(.noAnswer(HTTPFailure(.timeout, "late")))).map(\.level) == [.warn])
        let absurd = ShardHeader(headerBytes: .max, dataBytes: .max, tensors: 1, largestTensorBytes: 1)
        #expect(head(.found(absurd)).map(\.failure) == [.weightsIncomplete])
    }

    @Test("Weights in another form, or too deep, are none")
    func form() {
        func only(_ names: [String]) -> [PreflightFinding] {
            troubles { store in
                store.listing = .objects(
                    (names + ["config.json", "tokenizer.json"]).map { StoredObject(name: $0, bytes: 10) },
                    isComplete: true)
                store.index = .absent
            }
        }
        #expect(only(["pytorch_model.bin"]).map(\.failure) == [.weightsFormat])
        #expect(only(["original/model.safetensors"]).first?.message.contains("too deep") == true)
        #expect(only([]).map(\.failure) == [.weightsFormat])
    }

    @Test("A safetensors file beside the index is told, for it is streamed too")
    func stray() {
        let found = troubles { store in
            store.listing = .objects(
                store.objects + [StoredObject(name: "consolidated.safetensors", bytes: 4_000_000_000)], isComplete: true
            )
        }
        #expect(found.map(\.check) == [.strays])
        #expect(found.map(\.level) == [.warn])
        #expect(found.first?.message.contains("4.0 GB") == true)
    }

    @Test("A memory limit below the largest tensor cannot work")
    func memoryLimit() {
        var small = Assignment.sample()
        small.streamerMemoryLimit = 499
        #expect(troubles(small) { _ in }.map(\.failure) == [.memoryLimitTooSmall])
        small.streamerMemoryLimit = 500
        #expect(troubles(small) { _ in } == [])
        small.streamerMemoryLimit = 0
        #expect(troubles(small) { _ in } == [])
    }

    @Test("Where the weights are not streamed, nothing about them stops a start")
    func otherLoader() {
        #expect(troubles(use: .unknown, change: remove("model-00003-of-00004.safetensors")).map(\.level) == [.warn])
    }

    @Test("A clock that is off and credentials about to expire are told")
    func times() {
        #expect(troubles { $0.clockAhead = -61 }.first?.message.contains("61 s ahead of") == true)
        #expect(troubles { $0.clockAhead = 59 } == [])
        #expect(troubles(expiresAt: 1600) { _ in }.map(\.check) == [.credentials])
        #expect(troubles(expiresAt: 999) { _ in }.map(\.level) == [.warn])
        #expect(troubles(expiresAt: 5000) { _ in } == [])
    }

    @Test("What waiting cannot mend decides over what it can")
    func decisive() {
        let findings: [PreflightFinding] = [
            .fatal(.port, .portInUse, "taken"), .fatal(.shards, .weightsIncomplete, "missing"),
            .warn(.tokenizer, nil, "none"),
        ]
        let report = PreflightReport(findings: findings, seconds: 1)
        #expect(report.failure?.failure == .weightsIncomplete)
        #expect(report.failure?.evidence == ["port: taken"])
        #expect(report.withoutVeto.failure == nil)
        #expect(report.withoutVeto.troubles.count == 3)
    }
}
