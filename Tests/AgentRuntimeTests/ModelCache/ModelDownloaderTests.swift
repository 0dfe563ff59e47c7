internal import AgentCore
internal import AgentTestKit
internal import AgentWire
internal import Testing

@testable internal import AgentRuntime

@Suite("Downloads against a store that answers what the test says")
struct ModelDownloaderTests {
    private static let config = [UInt8]("{}".utf8)

    private static func store(
        _ files: [String: [UInt8]], tag: (([UInt8]) -> String?) = InMemoryModels.digest
    ) -> ObservedStore {
        let objects = files.map { StoredObject(name: $0.key, bytes: UInt64($0.value.count), tag: tag($0.value)) }
        return ObservedStore(
            endpoint: "http://store.test", bucket: "b", prefix: "p/", listing: .objects(objects, isComplete: true))
    }

    private static func shard(_ bytes: Int) -> [UInt8] {
        let json = [UInt8]("{\"a\":{\"data_offsets\":[0,\(bytes)]}}".utf8)
        let length = (0..<8).map { UInt8(truncatingIfNeeded: json.count >> (8 * $0)) }
        return length + json + [UInt8](repeating: 7, count: bytes)
    }

    /// What a store sends, range by range.
    private static func serve(_ files: [String: [UInt8]], _ request: HTTPRequest) -> HTTPResponse {
        guard let name = request.url.split(separator: "/").last, let file = files[String(name)] else {
            return .answer(404, "<Error><Code>NoSuchKey</Code></Error>")
        }
        let range = request.headers.first { $0.name == "range" }?.value.reveal().dropFirst("bytes=".count)
        let ends = range?.split(separator: "-").compactMap { Int($0) } ?? [0, file.count - 1]
        return HTTPResponse(
            status: 206, headers: [:], body: Array(file[ends[0]...ends[1]]),
            firstByteAt: BootInstant(nanoseconds: 0))
    }

    private func bring(
        _ store: ObservedStore, _ models: InMemoryModels, files: InMemoryFileStore = InMemoryFileStore(),
        cdn: String? = nil
    ) async throws -> String {
        let ports = AgentPorts.standIns(
            http: ScriptedHTTPClient { _ async throws(HTTPFailure) in .answer(500) }, files: files, models: models)
        let settings = try AgentSettings.sample()
        let downloader = ModelDownloader(
            ports: ports, cache: ModelCache(settings: settings, ports: ports), connections: 4)
        var assignment = Assignment.sample()
        assignment.store.bucket = "b"
        assignment.store.cdnDomain = cdn
        let (inbox, _) = Inbox.make(clocks: SteppingClocks())
        return try await downloader.bring(assignment, from: store, inbox)
    }

    @Test("Every file lands whole, in parts where it is large, and the next start asks for nothing")
    func whole() async throws {
        let content = ["config.json": Self.config, "model.safetensors": Self.shard(Int(DownloadPlan.partBytes) + 5)]
        let models = InMemoryModels { request throws(FetchFailure) in Self.serve(content, request) }
        let files = InMemoryFileStore()
        let folder = try await bring(Self.store(content), models, files: files)
        #expect(models.bytes(at: "\(folder)/model.safetensors") == content["model.safetensors"])
        #expect(models.bytes(at: "\(folder)/config.json") == Self.config)
        #expect(models.asked.count == 3)
        #expect(try await bring(Self.store(content), models, files: files) == folder)
        #expect(models.asked.count == 3)
    }

    @Test("A file with another digest is fetched once more; the same twice means that tags are no digests")
    func digests() async throws {
        let content = ["config.json": Self.config, "tokenizer.json": [UInt8]("[]".utf8)]
        let store = Self.store(content) { _ in String(repeating: "a", count: 32) }
        let models = InMemoryModels { request throws(FetchFailure) in Self.serve(content, request) }
        let folder = try await bring(store, models)
        #expect(models.finished.sorted() == ["\(folder)/config.json", "\(folder)/tokenizer.json"])
        #expect((3...4).contains(models.asked.count))
    }

    @Test("What comes damaged once comes right the second time")
    func damaged() async throws {
        let content = ["config.json": Self.config]
        let tries = OnceFlag()
        let models = InMemoryModels { request throws(FetchFailure) in
            tries.first() ? .answer(206, "{]") : Self.serve(content, request)
        }
        let folder = try await bring(Self.store(content), models)
        #expect(models.bytes(at: "\(folder)/config.json") == Self.config)
    }

    @Test(
        "Refusals have the classes of the preflight",
        arguments: [
            (403, "InvalidAccessKeyId", FailureClass.credentialsRejected), (403, "AccessDenied", .weightsUnreadable),
            (404, "NoSuchKey", .weightsUnreadable), (403, "RequestTimeTooSkewed", .clockSkewed),
        ])
    func refused(status: Int, code: String, failure: FailureClass) async throws {
        let models = InMemoryModels { _ throws(FetchFailure) in
            .answer(status, "<Error><Code>\(code)</Code></Error>")
        }
        await #expect { try await bring(Self.store(["config.json": Self.config]), models) } throws: { error in
            (error as? FailureReport)?.failure == failure
        }
        #expect(models.asked.count == 1)
    }

    @Test("A full disk is told as what it is, and not tried again")
    func fullDisk() async throws {
        let full = FileFailure(operation: "write", path: "/x", errno: 28, reason: "No space left on device")
        let models = InMemoryModels { _ throws(FetchFailure) in throw .disk(full) }
        await #expect { try await bring(Self.store(["config.json": Self.config]), models) } throws: { error in
            (error as? FailureReport)?.failure == .localStorage
        }
        #expect(models.asked.count == 1)
    }

    @Test("A shard that its own header contradicts is no model")
    func truncated() async throws {
        let content = ["model.safetensors": Array(Self.shard(100).dropLast(10))]
        let models = InMemoryModels { request throws(FetchFailure) in Self.serve(content, request) }
        await #expect { try await bring(Self.store(content), models) } throws: { error in
            (error as? FailureReport)?.failure == .weightsIncomplete
        }
        #expect(models.finished.isEmpty)
    }

    @Test("An object that was replaced meanwhile is not pieced together from two")
    func replaced() async throws {
        let models = InMemoryModels { _ throws(FetchFailure) in
            .answer(206, "{}", headers: ["etag": "\"other\""])
        }
        await #expect { try await bring(Self.store(["config.json": Self.config]), models) } throws: { error in
            (error as? FailureReport)?.message.contains("replaced") == true
        }
    }

    @Test("Configuration comes through the CDN without credentials, weights never do")
    func cdn() async throws {
        let content = ["config.json": Self.config, "model.safetensors": Self.shard(10)]
        let models = InMemoryModels { request throws(FetchFailure) in Self.serve(content, request) }
        _ = try await bring(Self.store(content), models, cdn: "models.example.com")
        let cached = models.asked.filter { $0.url.hasPrefix("https://models.example.com/") }
        #expect(cached.map(\.url) == ["https://models.example.com/p/config.json"])
        #expect(cached.allSatisfy { request in request.headers.allSatisfy { $0.name.lowercased() != "authorization" } })
    }

    @Test("A cancelled download writes nothing more and leaves what has come")
    func cancelled() async throws {
        let content = ["config.json": Self.config, "model.safetensors": Self.shard(10)]
        let (reached, reach) = AsyncStream<Void>.makeStream()
        let models = InMemoryModels { request throws(FetchFailure) in
            guard request.url.hasSuffix(".safetensors") else { return Self.serve(content, request) }
            reach.yield()
            do throws(HTTPFailure) { return try await neverAnswers() } catch { throw .network(error) }
        }
        let work = { try await self.bring(Self.store(content), models) } as @Sendable () async throws -> String
        await withThrowingTaskGroup(of: String.self) { group in
            group.addTask { try await work() }
            _ = await reached.first { _ in true }
            group.cancelAll()
        }
        #expect(models.finished.allSatisfy { $0.hasSuffix("config.json") })
    }
}
