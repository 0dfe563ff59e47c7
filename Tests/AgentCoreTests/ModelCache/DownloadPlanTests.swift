internal import AgentCore
internal import Testing

@Suite("What is to be downloaded, from what the store lists and what is there")
struct DownloadPlanTests {
    private static let shard = ModelFile(name: "model.safetensors", bytes: 3 * DownloadPlan.partBytes - 1, tag: "a")
    private static let config = ModelFile(name: "config.json", bytes: 2, tag: "b")
    private static let wanted = [config, shard]

    private func plan(
        _ files: [String: ModelCacheRecord.File], found: [String: UInt64], boot: String = "now"
    ) -> DownloadPlan {
        let record = ModelCacheRecord(source: "s", boot: "now", usedAt: 0, files: files)
        return DownloadPlan(wanted: Self.wanted, record: record, found: found, boot: boot)
    }

    private static func whole(_ file: ModelFile) -> ModelCacheRecord.File { .init(bytes: file.bytes, tag: file.tag) }

    private static func begun(_ text: String, tag: String = "a") -> ModelCacheRecord.File {
        .init(bytes: shard.bytes, tag: tag, parts: PartSet(text, limit: 3))
    }

    @Test("An empty folder is cold, and everything is missing in parts, small files first")
    func cold() {
        let plan = DownloadPlan(wanted: Self.wanted, record: nil, found: [:], boot: "now")
        #expect(plan.state == .cold)
        #expect(plan.missing.map(\.file.name) == ["config.json"] + Array(repeating: "model.safetensors", count: 3))
        #expect(plan.missingBytes == plan.totalBytes)
        #expect(plan.missing.last?.bytes == DownloadPlan.partBytes - 1)
    }

    @Test("Parts of this boot are kept, whole files are kept, the rest is missing")
    func partial() {
        let plan = plan(
            ["config.json": Self.whole(Self.config), "model.safetensors": Self.begun("0,2")],
            found: ["config.json": 2, "model.safetensors.part": Self.shard.bytes])
        #expect(plan.state == .partial)
        #expect(plan.missing.map(\.number) == [1])
        #expect(plan.leftovers.isEmpty)
    }

    @Test("Everything whole is warm")
    func warm() {
        let plan = plan(
            ["config.json": Self.whole(Self.config), "model.safetensors": Self.whole(Self.shard)],
            found: ["config.json": 2, "model.safetensors": Self.shard.bytes])
        #expect(plan.state == .warm)
        #expect(plan.missing.isEmpty)
    }

    @Test("Parts of an earlier boot, of another content or of another length are fetched again")
    func distrusted() {
        let found = ["model.safetensors.part": Self.shard.bytes]
        let kept = Self.begun("0-2")
        #expect(plan(["model.safetensors": kept], found: found, boot: "then").state == .cold)
        #expect(plan(["model.safetensors": Self.begun("0-2", tag: "z")], found: found).state == .cold)
        #expect(plan(["model.safetensors": kept], found: ["model.safetensors.part": 7]).state == .cold)
        #expect(plan(["model.safetensors": Self.whole(Self.shard)], found: ["model.safetensors": 7]).state == .cold)
    }

    @Test("A file of which every part is there, but which nobody has looked at, is checked and not fetched")
    func unchecked() {
        let plan = plan(
            ["model.safetensors": Self.begun("0-2")], found: ["model.safetensors.part": Self.shard.bytes])
        #expect(plan.unchecked.map(\.name) == ["model.safetensors"])
        #expect(plan.missing.map(\.file.name) == ["config.json"])
    }

    @Test("What belongs to no wanted content is to be removed")
    func leftovers() {
        let plan = plan([:], found: ["old.safetensors": 5, "config.json": 2, "model.safetensors.part": 9])
        #expect(plan.leftovers == ["config.json", "model.safetensors.part", "old.safetensors"])
    }

    @Test("Wanted are the shards of the index and what is no weights; never a name that leads elsewhere")
    func selection() {
        let names = [
            "config.json", "model-1.safetensors", "consolidated.safetensors", "pytorch_model.bin", "original/params.json",
            "nested/x.safetensors", "../../etc/passwd", ".hidden", "a//b", "tokenizer.json.part",
        ]
        var store = ObservedStore(
            endpoint: "e", bucket: "b", prefix: "p/",
            listing: .objects(names.map { StoredObject(name: $0, bytes: 1) }, isComplete: true))
        store.index = .found(WeightIndex(files: ["model-1.safetensors"]))
        #expect(
            ModelFile.wanted(of: store).map(\.name) == ["config.json", "original/params.json", "model-1.safetensors"])
        store.index = .absent
        #expect(ModelFile.wanted(of: store).filter(\.isWeights).count == 2)
    }

    @Test("Only a tag of 32 hexadecimal digits is a digest: one of an upload in parts is none")
    func digests() {
        let digest = String(repeating: "Ab", count: 16)
        #expect(ModelFile(name: "a", bytes: 1, tag: digest).digest == digest.lowercased())
        #expect(ModelFile(name: "a", bytes: 1, tag: digest.dropLast(2) + "-2").digest == nil)
        #expect(ModelFile(name: "a", bytes: 1).digest == nil)
    }

    @Test("The last part of a file makes it whole, and a file that came wrong is handed out again")
    func board() {
        var board = DownloadBoard(DownloadPlan(wanted: [Self.shard], record: nil, found: [:], boot: ""))
        var parts: [DownloadPart] = []
        while let part = board.next() { parts.append(part) }
        #expect(parts.reversed().map { board.landed($0) } == [false, false, true])
        board.again(Self.shard)
        #expect(board.parts(of: Self.shard) == PartSet())
        #expect(board.next()?.number == 0)
    }
}
