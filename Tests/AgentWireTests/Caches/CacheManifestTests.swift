internal import AgentCore
internal import AgentSystem
internal import AgentWire
internal import Testing

@Suite("Manifests of carried caches")
struct CacheManifestTests {
    private let signer = OpenSSLMessageSigner()
    private let secret = Secret("a secret that every node of the fleet knows")

    private var key: CacheKey {
        CacheKey([CacheFactor("gpu", "NVIDIA H100 80GB"), CacheFactor("a b%", "line\nbreak 100 %")], signer: signer)
    }

    private func manifest() throws -> CacheManifest {
        let files = [
            CacheBundle.File(path: "modelinfos/llama.json", bytes: 10, isExecutable: false),
            CacheBundle.File(path: "torch_compile_cache/ab/kernel so", bytes: 9 << 20, isExecutable: true),
        ]
        let parts = [String(repeating: "0a", count: 32), String(repeating: "f1", count: 32)]
        return CacheManifest(key: key, parts: parts, bundle: try CacheBundle(files))
    }

    @Test("Come back as they were signed")
    func roundTrip() throws {
        let manifest = try manifest()
        let bytes = manifest.signed(with: secret, signer)
        #expect(try CacheManifest(bytes, for: key.digest, secret: secret, signer) == manifest)
    }

    @Test("Are not believed when a single byte is another one")
    func everyByteCounts() throws {
        let bytes = try manifest().signed(with: secret, signer)
        for index in bytes.indices {
            var changed = bytes
            changed[index] ^= 1
            #expect(throws: CacheFault.self) { try CacheManifest(changed, for: key.digest, secret: secret, signer) }
        }
    }

    @Test("Are not believed when they were signed with another secret, for another key, or cut short")
    func strangers() throws {
        let bytes = try manifest().signed(with: secret, signer)
        let other = CacheKey([CacheFactor("gpu", "other")], signer: signer)
        #expect(throws: CacheFault.self) {
            try CacheManifest(bytes, for: key.digest, secret: Secret("no secret of the fleet's"), signer)
        }
        #expect(throws: CacheFault.self) { try CacheManifest(bytes, for: other.digest, secret: secret, signer) }
        for count in 0..<bytes.count {
            #expect(throws: CacheFault.self) {
                try CacheManifest(Array(bytes.prefix(count)), for: key.digest, secret: secret, signer)
            }
        }
    }

    @Test("Of two factors with shifted borders have two keys")
    func bordersCount() {
        let one = CacheKey([CacheFactor("ab", "c")], signer: signer)
        let other = CacheKey([CacheFactor("a", "bc")], signer: signer)
        #expect(one.digest != other.digest)
        let reordered = CacheKey(key.factors.reversed(), signer: signer)
        #expect(reordered == key)
    }

    @Test("Name the factors in which two starts differ")
    func differences() {
        let ours = [CacheFactor("driver", "580"), CacheFactor("env:VLLM_X", "1"), CacheFactor("gpu", "H100")]
        let theirs = [CacheFactor("driver", "570"), CacheFactor("gpu", "H100")]
        #expect(CacheKey.differences(ours, theirs) == ["driver", "env:VLLM_X"])
    }

    @Test("A revision changes with names, sizes and entity tags, and not with the order")
    func revision() {
        let files = [StoredObject(name: "a", bytes: 1, tag: "x"), StoredObject(name: "b", bytes: 2)]
        let revision = StoredObject.revision(of: files, signer: signer)
        #expect(StoredObject.revision(of: files.reversed(), signer: signer) == revision)
        var changed = files
        changed[0].tag = "y"
        #expect(StoredObject.revision(of: changed, signer: signer) != revision)
    }

    @Test("vLLM's own factors name what differs in the closest pair")
    func compileFactors() throws {
        let carried = try #require(
            CompileFactors(Array(#"{"env":{"VLLM_A":"1","VLLM_B":"2"},"config_hash":"c","code_hash":"d"}"#.utf8)))
        let present = try #require(
            CompileFactors(Array(#"{"env":{"VLLM_A":"1","VLLM_B":"3"},"config_hash":"c","code_hash":"d"}"#.utf8)))
        #expect(CompileFactors.differences(carried: [carried], present: [carried, present]) == ["VLLM_B"])
        #expect(CompileFactors.differences(carried: [carried], present: [carried]) == [])
        #expect(CompileFactors(Array("no JSON".utf8)) == nil)
    }
}
