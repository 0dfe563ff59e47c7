internal import AgentCore
internal import AgentSystem
internal import AgentTestKit
internal import Glibc
internal import Testing

struct LinuxFileStoreTests {
    let folder = TemporaryFolder()
    let store = LinuxFileStore()

    @Test("What was written is read back, with the mode asked for whatever the umask")
    func roundTrip() throws {
        let path = folder.file("deep/er/file")
        try store.writeAtomically([1, 2, 3], to: path, mode: 0o604)
        #expect(try store.read(path, limit: 3) == [1, 2, 3])
        #expect(mode(path) == 0o604)
        #expect(mode(folder.file("deep/er")) == 0o700)
        try store.writeAtomically([], to: path, mode: 0o600)
        #expect(try store.read(path, limit: 0) == [])
        #expect(try store.list(folder.file("deep/er")) == ["file"])
    }

    @Test("A missing file is nil, and nothing in its place is an error")
    func missing() throws {
        #expect(try store.read(folder.file("nowhere/file"), limit: 10) == nil)
        try store.remove(folder.file("nowhere/file"))
        #expect(try store.list(folder.file("nowhere")) == [])
    }

    @Test("A file is moved into a folder that is made for it, whatever is in it and in its way")
    func moves() throws {
        folder.write("new", to: "file")
        folder.write("", to: "unreadable")
        chmod(folder.file("unreadable"), 0)
        try store.move(folder.file("unreadable"), to: folder.file("aside/file"))
        try store.move(folder.file("file"), to: folder.file("aside/file"))
        #expect(try store.read(folder.file("aside/file"), limit: 3) == [UInt8]("new".utf8))
        #expect(try store.list(folder.path) == ["aside"])
        #expect(throws: FileFailure.self) { try store.move(folder.file("file"), to: folder.file("aside/file")) }
    }

    @Test("A file longer than the limit is refused, not cut")
    func tooLong() throws {
        folder.append([UInt8](repeating: 7, count: 100_000), to: "long")
        #expect(try store.read(folder.file("long"), limit: 100_000)?.count == 100_000)
        #expect(throws: FileFailure.self) { try store.read(folder.file("long"), limit: 99_999) }
    }

    @Test("A FIFO or a folder is refused at once")
    func notAFile() {
        mkfifo(folder.file("fifo"), 0o600)
        #expect(throws: FileFailure.self) { try store.read(folder.file("fifo"), limit: 10) }
        #expect(throws: FileFailure.self) { try store.read(folder.path, limit: 10) }
        let failure = #expect(throws: FileFailure.self) { try store.remove(folder.path) }
        #expect(failure?.message.contains(folder.path) == true)
    }

    @Test("Names come sorted, without unfinished writes")
    func list() throws {
        for name in ["b", "a", ".hidden", ".x.77.1.agent-tmp"] { folder.write("", to: name) }
        #expect(try store.list(folder.path) == [".hidden", "a", "b"])
    }

    @Test("A disk that is full leaves the old content and nothing else", .enabled(if: TinyDisk.isPossible))
    func fullDisk() throws {
        let disk = try #require(TinyDisk(folder))
        let path = "\(disk.path)/state"
        let old = [UInt8](repeating: 1, count: 1000)
        try store.writeAtomically(old, to: path, mode: 0o600)
        let failure = #expect(throws: FileFailure.self) {
            try store.writeAtomically([UInt8](repeating: 2, count: 1 << 20), to: path, mode: 0o600)
        }
        #expect(failure?.errno == ENOSPC)
        #expect(try store.read(path, limit: 2000) == old)
        #expect(names(disk.path) == ["state"])
        try store.writeAtomically([3], to: path, mode: 0o600)
        #expect(try store.read(path, limit: 2000) == [3])
    }

    @Test("A write the kernel cuts short leaves the old content and nothing else")
    func fileSizeLimit() async {
        // A limit for the whole process, so in one of its own.
        await #expect(processExitsWith: .success) { [folder = folder.path as String] in
            let store = LinuxFileStore()
            try store.writeAtomically([1], to: "\(folder)/state", mode: 0o600)
            signal(SIGXFSZ, SIG_IGN)
            var limit = rlimit(rlim_cur: 4096, rlim_max: 4096)
            setrlimit(__rlimit_resource_t(UInt32(RLIMIT_FSIZE.rawValue)), &limit)
            let failure = #expect(throws: FileFailure.self) {
                try store.writeAtomically([UInt8](repeating: 2, count: 5000), to: "\(folder)/state", mode: 0o600)
            }
            #expect(failure?.errno == EFBIG)
            #expect(try store.read("\(folder)/state", limit: 9) == [1])
            #expect(names(folder) == ["state"])
        }
    }

    @Test("A reader sees one whole content or the other while writers replace it")
    func replacing() async throws {
        let path = folder.file("shared")
        try store.writeAtomically([UInt8](repeating: 0, count: 9000), to: path, mode: 0o600)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in UInt8(1)...4 {
                group.addTask { [store] in
                    for _ in 0..<25 {
                        try store.writeAtomically([UInt8](repeating: writer, count: 9000), to: path, mode: 0o600)
                    }
                }
            }
            group.addTask { [store] in
                for _ in 0..<200 {
                    let bytes = try store.read(path, limit: 9000) ?? []
                    #expect(bytes.count == 9000 && Set(bytes).count == 1)
                }
            }
            try await group.waitForAll()
        }
        #expect(names(folder.path) == ["shared"])
    }

    @Test("Only a regular file with an execute bit is executable, links followed")
    func executable() {
        folder.write("#!/bin/sh\n", to: "program", mode: 0o755)
        folder.write("", to: "data")
        symlink(folder.file("program"), folder.file("link"))
        #expect(store.isExecutable(folder.file("program")))
        #expect(store.isExecutable(folder.file("link")))
        #expect(!store.isExecutable(folder.file("data")))
        #expect(!store.isExecutable(folder.path))
        #expect(!store.isExecutable(folder.file("nowhere")))
    }

    private func mode(_ path: String) -> mode_t {
        var status = stat()
        stat(path, &status)
        return status.st_mode & 0o7777
    }
}

/// Every name in a folder, unfinished writes included.
private func names(_ path: String) -> [String] {
    guard let stream = opendir(path) else { return [] }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
        names.append(
            withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                pointer.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            })
    }
    return names.filter { $0 != "." && $0 != ".." }.sorted()
}

/// A file system of 64 KiB, for as long as it is referred to.
private final class TinyDisk {
    let path: String
    private let folder: TemporaryFolder

    init?(_ folder: TemporaryFolder) {
        self.folder = folder
        path = folder.file("tiny")
        mkdir(path, 0o700)
        guard mount("tmpfs", path, "tmpfs", 0, "size=64k") == 0 else { return nil }
    }

    deinit {
        umount2(path, Int32(MNT_DETACH))
    }

    /// Mounting needs a privilege that root may lack too, in a container.
    static var isPossible: Bool { TinyDisk(TemporaryFolder()) != nil }
}
