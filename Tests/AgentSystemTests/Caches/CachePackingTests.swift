internal import AgentCore
internal import AgentTestKit
internal import Glibc
internal import Testing

@testable internal import AgentSystem

@Suite("Packing and unpacking of the engine's caches")
struct CachePackingTests {
    private let folder = TemporaryFolder()
    private var root: String { folder.file("root") }
    private var staging: String { folder.file("staging") }
    private var other: String { folder.file("other") }

    private func put(_ text: String, _ path: String, mode: mode_t = 0o644, age: Int = 0) throws {
        let full = "\(root)/\(path)"
        try LinuxFileStore().writeForThisBoot(Array(text.utf8), to: full, mode: mode)
        var times = [timespec(tv_sec: time(nil) - age, tv_nsec: 0), timespec(tv_sec: time(nil) - age, tv_nsec: 0)]
        utimensat(AT_FDCWD, full, &times, 0)
    }

    private func pack(since age: Int = 60) throws -> [String] {
        try LinuxFileStore().createFolders(staging)
        try put("", "reference", age: age)
        try CachePacking.pack(root: root, into: staging, since: "\(root)/reference")
        return try CachePacking.index(in: staging).files.map(\.path)
    }

    private func text(_ path: String) -> String? {
        (try? LinuxFileStore().read(path, limit: 1 << 20)).flatMap { $0 }.map { String(decoding: $0, as: UTF8.self) }
    }

    private func mode(_ path: String) -> mode_t {
        var status = stat()
        return lstat(path, &status) == 0 ? status.st_mode & 0o7777 : 0
    }

    @Test("What comes out is what went in, for its owner alone")
    func roundTrip() throws {
        try put("info", "modelinfos/llama.json")
        try put("", "torch_compile_cache/ab/empty")
        try put("code", "torch_compile_cache/ab/rank_0/kernel.so", mode: 0o755)
        let paths = try pack()
        #expect(
            paths == [
                "modelinfos/llama.json", "torch_compile_cache/ab/empty", "torch_compile_cache/ab/rank_0/kernel.so",
            ])
        try CachePacking.unpack(from: staging, root: other)
        #expect(text("\(other)/modelinfos/llama.json") == "info")
        #expect(text("\(other)/torch_compile_cache/ab/rank_0/kernel.so") == "code")
        #expect(text("\(other)/torch_compile_cache/ab/empty")?.isEmpty == true)
        #expect(mode("\(other)/torch_compile_cache/ab/rank_0/kernel.so") == 0o700)
        #expect(mode("\(other)/modelinfos/llama.json") == 0o600)
        #expect(mode("\(other)/torch_compile_cache/ab") == 0o700)
    }

    @Test("Contents larger than a part come back, too")
    func severalParts() throws {
        let large = String(repeating: "0123456789abcdef", count: 1 << 19)
        try put("first", "torch_compile_cache/a/one")
        try put(large + "end", "torch_compile_cache/a/two")
        try put("last", "torch_compile_cache/a/zero")
        _ = try pack()
        #expect(try CachePacking.index(in: staging).partCount == 2)
        try CachePacking.unpack(from: staging, root: other)
        let two = try LinuxFileStore().read("\(other)/torch_compile_cache/a/two", limit: 16 << 20)
        #expect(two == Array((large + "end").utf8))
        #expect(text("\(other)/torch_compile_cache/a/zero") == "last")
    }

    @Test("Only the compilations of this start are packed, and all where it made none")
    func freshOnes() throws {
        try put("info", "modelinfos/llama.json", age: 1000)
        try put("old", "torch_compile_cache/old/model", age: 1000)
        try put("old", "torch_compile_cache/torch_aot_compile/old/model", age: 1000)
        #expect(try pack().count == 3)
        try put("new", "torch_compile_cache/torch_aot_compile/new/model")
        try put("older part", "torch_compile_cache/torch_aot_compile/new/graph", age: 1000)
        #expect(
            try pack() == [
                "modelinfos/llama.json", "torch_compile_cache/torch_aot_compile/new/graph",
                "torch_compile_cache/torch_aot_compile/new/model",
            ])
    }

    @Test("Links, locks and half-written files are not packed")
    func strangeFiles() throws {
        try put("info", "modelinfos/llama.json")
        try put("", "torch_compile_cache/a/x.lock")
        try put("", "torch_compile_cache/a/.tmp123")
        symlink("/etc/passwd", "\(root)/torch_compile_cache/a/passwd")
        symlink("/etc", "\(root)/torch_compile_cache/etc")
        #expect(try pack() == ["modelinfos/llama.json"])
    }

    @Test("Of the folder that all models share, what this start has read or made is packed, and goes file by file")
    func inductor() throws {
        let day = 86_400
        try put(String(repeating: "x", count: 100), "torch_compile_cache/inductor/ab/others", age: 3 * day)
        try put(String(repeating: "x", count: 100), "torch_compile_cache/inductor/ab/read", age: 60)
        try put("new", "torch_compile_cache/inductor/ab/new")
        #expect(
            try pack(since: 30) == ["torch_compile_cache/inductor/ab/new", "torch_compile_cache/inductor/ab/read"])
        try CachePruning.prune(try CacheTree(root: root), limit: 150, usedSince: Int64(time(nil)) - 30)
        #expect(
            try CacheTree(root: root).entries.map(\.file.path).sorted() == [
                "torch_compile_cache/inductor/ab/new", "torch_compile_cache/inductor/ab/read",
            ])
    }

    @Test("A file that is there already stays as it is")
    func existing() throws {
        try put("carried", "modelinfos/llama.json")
        try put("carried", "torch_compile_cache/a/model")
        _ = try pack()
        try LinuxFileStore().writeForThisBoot(Array("own".utf8), to: "\(other)/modelinfos/llama.json", mode: 0o600)
        try CachePacking.unpack(from: staging, root: other)
        #expect(text("\(other)/modelinfos/llama.json") == "own")
        #expect(text("\(other)/torch_compile_cache/a/model") == "carried")
    }

    @Test("What an unpacking that was killed has left is written over, and never packed")
    func leftover() throws {
        try put("carried", "torch_compile_cache/a/model")
        _ = try pack()
        let half = "\(other)/unpacking/file"
        try LinuxFileStore().writeForThisBoot(Array("half of someth".utf8), to: half, mode: 0o400)
        try CachePacking.unpack(from: staging, root: other)
        #expect(text("\(other)/torch_compile_cache/a/model") == "carried")
        #expect(FileKind(at: half) == nil)
        #expect(try CacheTree(root: other).entries.map(\.file.path) == ["torch_compile_cache/a/model"])
    }

    @Test("While one agent unpacks into a folder another one keeps away")
    func twoAtATime() throws {
        try put("carried", "torch_compile_cache/a/model")
        _ = try pack()
        try CachePacking.unpack(from: staging, root: other)
        try LinuxFileStore().remove("\(other)/torch_compile_cache/a/model")
        let first = try Descriptor.open("\(other)/unpacking", O_RDONLY | O_DIRECTORY)
        #expect(flock(first.number, LOCK_EX | LOCK_NB) == 0)
        #expect { try CachePacking.unpack(from: staging, root: other) } throws: { error in
            (error as? FileFailure)?.errno == EWOULDBLOCK
        }
        #expect(FileKind(at: "\(other)/torch_compile_cache/a/model") == nil)
        #expect(flock(first.number, LOCK_UN) == 0)
        try CachePacking.unpack(from: staging, root: other)
        #expect(text("\(other)/torch_compile_cache/a/model") == "carried")
    }

    @Test("A file that is not as it was listed is not signed half", arguments: [3, 8])
    func changedWhileItIsPacked(bytes: UInt64) throws {
        try put("content", "torch_compile_cache/a/model")
        try LinuxFileStore().createFolders(staging)
        var parts = PartWriter(folder: staging)
        #expect {
            try parts.append(
                CacheBundle.File(path: "torch_compile_cache/a/model", bytes: bytes, isExecutable: false), below: root)
        } throws: { error in
            (error as? FileFailure)?.errno == ESTALE
        }
    }

    @Test("Links, devices, pipes and sockets in the engine's folders are not packed")
    func strangers() throws {
        try put("content", "torch_compile_cache/a/model")
        let folder = "\(root)/torch_compile_cache"
        symlink("/etc/passwd", "\(folder)/a/link")
        symlink("/etc", "\(folder)/linked")
        mkfifo("\(folder)/a/pipe", 0o600)
        mknod("\(folder)/a/null", S_IFCHR | 0o666, 0x103)
        #expect(try pack() == ["torch_compile_cache/a/model"])
    }

    @Test("More than a bundle may have is not packed, whatever of it is on the disk")
    func hugeButSparse() throws {
        try put("", "torch_compile_cache/a/model")
        #expect(truncate("\(root)/torch_compile_cache/a/model", 1 << 42) == 0)
        #expect { try pack() } throws: { ($0 as? FileFailure)?.errno == EFBIG }
        #expect(try LinuxFileStore().list(staging).isEmpty)
    }

    @Test("A link in the way is not followed")
    func linkInTheWay() throws {
        try put("carried", "torch_compile_cache/a/model")
        _ = try pack()
        try LinuxFileStore().createFolders(other)
        let victim = folder.file("victim")
        try LinuxFileStore().createFolders(victim)
        symlink(victim, "\(other)/torch_compile_cache")
        #expect(throws: FileFailure.self) { try CachePacking.unpack(from: staging, root: other) }
        #expect(try LinuxFileStore().list(victim).isEmpty)
    }

    @Test("An index that lies writes nothing", arguments: ["- 5 ../victim/x", "- 5 /tmp/x", "- 99 modelinfos/x"])
    func lyingIndex(_ line: String) throws {
        try LinuxFileStore().writeForThisBoot(Array(line.utf8), to: "\(staging)/index", mode: 0o600)
        try LinuxFileStore().writeForThisBoot(Array("short".utf8), to: "\(staging)/part-00000", mode: 0o600)
        #expect(throws: FileFailure.self) { try CachePacking.unpack(from: staging, root: other) }
        #expect(FileKind(at: "\(other)/modelinfos/x") == nil)
        #expect(try LinuxFileStore().list(folder.path) == ["staging"] || FileKind(at: folder.file("victim")) == nil)
    }

    @Test("Compilations that nobody has used for the longest time go, never those of this start")
    func pruning() throws {
        let text = String(repeating: "x", count: 100)
        try put(text, "torch_compile_cache/oldest/model", age: 3000)
        try put(text, "torch_compile_cache/torch_aot_compile/old/model", age: 2000)
        try put(text, "torch_compile_cache/new/model", age: 10)
        try put("small", "modelinfos/llama.json", age: 9000)
        let tree = try CacheTree(root: root)
        let now = Int64(time(nil))
        try CachePruning.prune(tree, limit: 200, usedSince: now - 60)
        #expect(try CacheTree(root: root).entries.map(\.file.path).sorted().first == "modelinfos/llama.json")
        #expect(FileKind(at: "\(root)/torch_compile_cache/oldest/model") == nil)
        #expect(FileKind(at: "\(root)/torch_compile_cache/torch_aot_compile/old/model") == .regular)
        try CachePruning.prune(try CacheTree(root: root), limit: 0, usedSince: now - 60)
        #expect(FileKind(at: "\(root)/torch_compile_cache/torch_aot_compile/old/model") == nil)
        #expect(FileKind(at: "\(root)/torch_compile_cache/new/model") == .regular)
    }

    @Test("A cancelled wait does not wait for the disk")
    func abandoned() async throws {
        let carrier = LocalCacheCarrier(root: root, folder: staging, reference: "\(root)/reference")
        try await carrier.prepareIncoming()
        #expect(mode(carrier.incoming) == 0o700)
        await #expect(throws: FileFailure.self) { try await carrier.unpack() }
    }
}
