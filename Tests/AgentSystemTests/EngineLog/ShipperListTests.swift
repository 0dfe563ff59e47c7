internal import AgentCore
internal import AgentTestKit
internal import Glibc
internal import Testing

@testable internal import AgentSystem

/// The cases of Vector's file source and Fluent Bit's tail input that a follower of one file can be held to; what
/// concerns lines is in `ShipperLineTests`, restarts in `LogResumptionTests`, Vector's `file_watcher_with_truncation`
/// and `…_no_truncation` in `LogModelTests`.
@Suite(.timeLimit(.minutes(1)))
struct ShipperListTests {
    let folder = TemporaryFolder()
    var path: String { folder.file("vllm.log") }

    func write(_ text: String, to name: String = "vllm.log") { folder.append(Array(text.utf8), to: name) }

    @Test("Vector file_happy_path: lines as they are written")
    func happyPath() async throws {
        let log = try InotifyLogSource().follow(path)
        for number in 0..<100 {
            write("hello \(number)\n")
            await log.expect("hello \(number)\n")
        }
        await log.expectNothingMore()
    }

    @Test("Vector file_truncate, harness file_truncate: five lines, a cut, five lines")
    func truncated() async throws {
        let log = try InotifyLogSource().follow(path)
        for round in 0..<4 {
            let lines = (0..<5).map { "pretrunc \(round) \($0)\n" }.joined()
            write(lines)
            await log.expect(lines)
            truncate(path, 0)
        }
        await log.expectNothingMore()
    }

    @Test("Vector file_rotate, harness file_rotate_create: nothing of the old file and nothing of the new one is lost")
    func rotated() async throws {
        let log = try InotifyLogSource().follow(path)
        write("prerot\n")
        await log.expect("prerot\n")
        write("unread\n")
        rename(path, folder.file("vllm.log.1"))
        write("postrot\n")
        await log.expect("unread\npostrot\n")
        await log.expectNothingMore()
    }

    @Test("Vector harness file_rotate_truncate: a copy is made and the file cut, again and again")
    func copyTruncated() async throws {
        let log = try InotifyLogSource().follow(path)
        for round in 0..<20 {
            let lines = (0...round).map { "round \(round) line \($0)\n" }.joined()
            write(lines)
            await log.expect(lines)
            folder.append(folder.bytes(of: "vllm.log") ?? [], to: "vllm.log.\(round)")
            truncate(path, 0)
        }
        await log.expectNothingMore()
    }

    @Test("Vector remove_file: a deleted file is read to its end, and the next one from its beginning")
    func removed() async throws {
        let log = try InotifyLogSource().follow(path)
        write("one\n")
        await log.expect("one\n")
        write("two\n")
        unlink(path)
        await log.expect("two\n")
        write("three\n")
        await log.expect("three\n")
    }

    @Test("Vector test_split_reads: a line that comes in pieces")
    func pieces() async throws {
        let log = try InotifyLogSource().follow(path)
        for piece in ["hel", "lo", "\n", "w", "orld\n"] {
            write(piece)
            await log.expect(piece)
        }
    }

    @Test("Fluent Bit inotify_watcher_false: found by looking")
    func looking() async throws {
        let log = LogFollower(LogPath(path, links: .refused), opened: nil, from: .end, usesInotify: false)
        write("x\n")
        await log.expect("x\n")
    }

    @Test("Fluent Bit inotify_pause_collectors: a reader that pauses while the log grows and is rotated misses nothing")
    func paused() async throws {
        let log = try InotifyLogSource().follow(path)
        write("a\n")
        await log.expect("a\n")
        let flood = String(repeating: "flood\n", count: 50_000)
        write(flood)
        rename(path, folder.file("vllm.log.1"))
        write("b\n")
        await log.expect(flood + "b\n")
    }

    @Test("A file cut under a writer that keeps its place begins with a hole, and that is left out")
    func hole() async throws {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0o644)
        defer { close(descriptor) }
        let log = try InotifyLogSource().follow(path)
        func put(_ text: String, at offset: Int64) {
            let bytes = Array(text.utf8)
            #expect(pwrite(descriptor, bytes, bytes.count, off_t(offset)) == bytes.count)
        }
        put("before\n", at: 0)
        await log.expect("before\n")
        truncate(path, 0)
        put("behind the hole\n", at: 1 << 40)
        var read: [UInt8] = []
        while read.last != UInt8(ascii: "\n") { read += try #require(await log.next()) }
        #expect(read.count < 64 << 10)
        #expect(String(decoding: read.drop { $0 == 0 }, as: UTF8.self) == "behind the hole\n")
        let checkpoint = try #require(await log.checkpoint(behind: Int64(7 + read.count)))
        #expect(checkpoint.understood.offset == 1 << 40 + 16)
    }

    @Test("A file that is nothing but a hole says nothing, and what is written behind it is read")
    func onlyHole() async throws {
        let log = try InotifyLogSource().follow(path)
        write("")
        truncate(path, 1 << 40)
        #expect(await log.checkpoint(behind: 0) == nil)
        await withTaskGroup { group in
            group.addTask { await log.bytes(5) }
            write("line\n")
            #expect(await group.next()?.drop { $0 == 0 } == Array("line\n".utf8)[...])
        }
    }

    @Test("A full disk leaves half a line; the other half follows when there is room")
    func fullDisk() async throws {
        // What a writer does that was told ENOSPC: the kernel took a part of the line.
        let log = try InotifyLogSource().follow(path)
        write("INFO half a l")
        await log.expect("INFO half a l")
        write("ine\n")
        await log.expect("ine\n")
    }
}
