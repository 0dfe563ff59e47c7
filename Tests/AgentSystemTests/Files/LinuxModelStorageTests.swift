internal import AgentCore
internal import AgentTestKit
internal import Glibc
internal import Testing

@testable internal import AgentSystem

@Suite("Downloaded models on a real file system")
struct LinuxModelStorageTests {
    private let storage = LinuxModelStorage()

    @Test("What lies there is readable for everyone, whatever the umask, and the size of the whole from the start")
    func modes() throws {
        let temporary = TemporaryFolder()
        let before = umask(0o077)
        defer { umask(before) }
        let path = "\(temporary.path)/models/a/sub/x.bin.part"
        try storage.begin(path, bytes: 5_000_000)
        try storage.finish(path, as: "\(temporary.path)/models/a/sub/x.bin")
        for (path, mode) in [("models", 0o755), ("models/a/sub", 0o755), ("models/a/sub/x.bin", 0o644)] {
            var status = stat()
            #expect(stat("\(temporary.path)/\(path)", &status) == 0)
            #expect(Int(status.st_mode & 0o777) == mode)
        }
        #expect(try storage.sizes(below: "\(temporary.path)/models/a") == ["sub/x.bin": 5_000_000])
    }

    @Test("Hidden files are not the model's, links are not followed, and a folder goes with everything in it")
    func removal() throws {
        let temporary = TemporaryFolder()
        let folder = "\(temporary.path)/model"
        try LinuxFileStore().writeForThisBoot([1], to: "\(temporary.path)/outside/kept", mode: 0o600)
        try LinuxFileStore().writeForThisBoot([1], to: "\(folder)/.hidden", mode: 0o600)
        try LinuxFileStore().writeForThisBoot([1, 2], to: "\(folder)/deep/er/x", mode: 0o600)
        #expect(symlink("\(temporary.path)/outside", "\(folder)/link") == 0)
        #expect(try storage.sizes(below: folder) == ["deep/er/x": 2])
        try storage.removeFolder(folder)
        #expect(FileKind(at: folder) == nil)
        #expect(FileKind(at: "\(temporary.path)/outside/kept") == .regular)
        try storage.removeFolder(folder)
    }

    @Test("MD5 is the published one")
    func digest() throws {
        let temporary = TemporaryFolder()
        let path = "\(temporary.path)/x"
        try LinuxFileStore().writeForThisBoot([UInt8]("message digest".utf8), to: path, mode: 0o600)
        // RFC 1321, A.5
        #expect(try storage.md5(of: path) == "f96b697d7cb7938d525a2f31aaf161d0")
        #expect(try storage.head(of: path, count: 7) == [UInt8]("message".utf8))
    }

    @Test("A link in place of a file is replaced and never written through")
    func links() throws {
        let temporary = TemporaryFolder()
        let outside = "\(temporary.path)/outside"
        try LinuxFileStore().writeForThisBoot([9], to: outside, mode: 0o600)
        #expect(symlink(outside, "\(temporary.path)/x") == 0)
        try storage.begin("\(temporary.path)/x", bytes: 1)
        #expect(FileKind(at: "\(temporary.path)/x") == .regular)
        #expect(try LinuxFileStore().read(outside, limit: 9) == [9])
    }
}
