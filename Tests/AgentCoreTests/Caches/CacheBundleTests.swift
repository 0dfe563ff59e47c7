internal import AgentCore
internal import AgentTestKit
internal import Testing

@Suite("Files of a carried cache")
struct CacheBundleTests {
    @Test(
        "Never lead out of the engine's cache folders",
        arguments: [
            "/etc/passwd", "torch_compile_cache/../../etc/passwd", "../torch_compile_cache/x", "torch_compile_cache",
            "torch_compile_cache/", "torch_compile_cache//x", "torch_compile_cache/./x", "assets/x", "bin/vllm", "",
            "torch_compile_cache/a\nb", "torch_compile_cache/a\0b", "modelinfos/..",
        ])
    func unsafePaths(_ path: String) {
        #expect(throws: CacheFault.self) {
            try CacheBundle([CacheBundle.File(path: path, bytes: 1, isExecutable: false)])
        }
    }

    @Test("Are bounded in number and in bytes, and come once")
    func bounds() throws {
        let file = CacheBundle.File(path: "modelinfos/a", bytes: CacheBundle.maximumBytes, isExecutable: false)
        #expect(try CacheBundle([file]).partCount == 256)
        var other = file
        other.path = "modelinfos/b"
        other.bytes = 1
        #expect(throws: CacheFault.self) { try CacheBundle([file, other]) }
        other.bytes = .max
        #expect(throws: CacheFault.self) { try CacheBundle([other, file]) }
        #expect(throws: CacheFault.self) { try CacheBundle([file, file]) }
        let many = (0...CacheBundle.maximumFiles).map {
            CacheBundle.File(path: "modelinfos/\($0)", bytes: 0, isExecutable: false)
        }
        #expect(throws: CacheFault.self) { try CacheBundle(many) }
    }

    @Test("The last part is as long as what is left")
    func parts() throws {
        let bundle = try CacheBundle([
            CacheBundle.File(path: "modelinfos/a", bytes: CacheBundle.partBytes + 3, isExecutable: false)
        ])
        #expect(bundle.partCount == 2)
        #expect(bundle.bytes(ofPart: 0) == CacheBundle.partBytes)
        #expect(bundle.bytes(ofPart: 1) == 3)
        #expect(try CacheBundle([]).partCount == 0)
    }

    @Test("The longest unused caches go, never the one just written")
    func retention() {
        func entry(_ key: String, _ bytes: UInt64, _ day: Int) -> CacheRetention.Entry {
            CacheRetention.Entry(key: key, bytes: bytes, lastUse: "2026-11-0\(day)T00:00:00Z")
        }
        let entries = [entry("a", 10, 3), entry("b", 10, 1), entry("c", 10, 2), entry("own", 10, 1)]
        #expect(CacheRetention.superfluous(entries, keeping: "own", limit: 40) == [])
        #expect(CacheRetention.superfluous(entries, keeping: "own", limit: 20) == ["b", "c"])
        #expect(CacheRetention.superfluous(entries, keeping: "own", limit: 1) == ["b", "c", "a"])
    }

    @Test("Were used when the engine says so, and not when it compiles all the same")
    func use() {
        let carried = [CacheBundle.File(path: "torch_compile_cache/a/model", bytes: 1, isExecutable: false)]
        let more = carried + [CacheBundle.File(path: "torch_compile_cache/b/model", bytes: 1, isExecutable: false)]
        var hit = CompileSigns()
        hit.note(.compileCacheHit)
        var miss = hit
        miss.note(.compileCacheMiss)
        #expect(CacheUse(hit, carried: carried, present: more) == .loaded)
        #expect(CacheUse(miss, carried: carried, present: more) == .compiled(newFiles: 1))
        // The same start has compiled these once, and has not done it again.
        #expect(CacheUse(CompileSigns(), carried: carried, present: carried) == .loaded)
        let others = carried.filter { !$0.path.hasPrefix("torch_compile_cache/") }
        #expect(CacheUse(CompileSigns(), carried: others, present: others) == .nothingNew)
        #expect(CacheUse(CompileSigns(), carried: carried, present: more) == .compiled(newFiles: 1))
    }

    @Test("The key does not know where the engine listens, and does not hold the API key")
    func factors() {
        let factors = CacheFactors(modelRevision: "r").factors(
            .sample(),
            launch: (
                "/opt/vllm/bin/vllm", ["serve", "--port", "8000", "--dtype", "bfloat16", "--disable-log-stats"],
                [
                    EnvironmentVariable("VLLM_API_KEY", "canary"), EnvironmentVariable("VLLM_X", "1"),
                    EnvironmentVariable("AWS_SECRET_ACCESS_KEY", "canary"), EnvironmentVariable("VLLM_PORT", "1"),
                ]
            ))
        #expect(factors.contains(CacheFactor("arguments", "serve --dtype bfloat16")))
        #expect(factors.filter { $0.name.hasPrefix("env:") } == [CacheFactor("env:VLLM_X", "1")])
        #expect(!factors.contains { $0.value.contains("canary") })
    }
}
