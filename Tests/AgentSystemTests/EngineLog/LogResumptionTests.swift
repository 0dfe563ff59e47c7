internal import AgentCore
internal import AgentTestKit
internal import Glibc
internal import Testing

@testable internal import AgentSystem

/// What the agent after this one reads.
@Suite(.timeLimit(.minutes(1)))
struct LogResumptionTests {
    let folder = TemporaryFolder()
    var path: String { folder.file("vllm.log") }

    func write(_ text: String, to name: String = "vllm.log") { folder.append(Array(text.utf8), to: name) }

    /// Reads `text` and is killed; the checkpoint stands before the last `unfinished` bytes.
    func checkpoint(behind text: String, unfinished: Int = 0, from start: LogStart = .beginning) async throws
        -> LogCheckpoint
    {
        let log = try InotifyLogSource().follow(path, from: start)
        await log.expect(text)
        return try #require(await log.checkpoint(behind: Int64(text.utf8.count - unfinished)))
    }

    func resume(_ checkpoint: LogCheckpoint) throws -> any EngineLogFollower {
        try InotifyLogSource().follow(path, from: .checkpoint(checkpoint))
    }

    @Test("Vector file_start_position_server_restart_acknowledged: no line is lost or comes twice")
    func restart() async throws {
        write("one\ntwo\n")
        let checkpoint = try await checkpoint(behind: "one\ntwo\n")
        write("three\n")
        let log = try resume(checkpoint)
        #expect(await log.replayed() == Array("one\ntwo\n".utf8))
        await log.expect("three\n")
        await log.expectNothingMore()
    }

    @Test("Vector file_start_position_server_restart_unfinalized: an unfinished line is read from its beginning again")
    func unfinishedLine() async throws {
        write("one\ntw")
        let checkpoint = try await checkpoint(behind: "one\ntw", unfinished: 2)
        write("o\n")
        let log = try resume(checkpoint)
        #expect(await log.replayed() == Array("one\n".utf8))
        await log.expect("two\n")
    }

    @Test("Vector file_duplicate_processing_after_restart: nothing new, nothing read")
    func nothingNew() async throws {
        write("one\n")
        let log = try resume(try await checkpoint(behind: "one\n"))
        await log.expectNothingMore()
    }

    @Test("Vector file_start_position_server_restart_with_file_rotation_acknowledged: the old file's rest comes first")
    func rotatedWhileAway() async throws {
        write("one\n")
        let checkpoint = try await checkpoint(behind: "one\n")
        write("two\n")
        rename(path, folder.file("elsewhere"))
        write("three\n")
        let log = try resume(checkpoint)
        #expect(await log.replayed() == Array("one\n".utf8))
        await log.expect("two\nthree\n")
        await log.expectNothingMore()
    }

    @Test("A log that was copied and cut while nobody read is read to the end of the copy first")
    func copiedWhileAway() async throws {
        let lines = (0..<40).map { "line \($0)\n" }.joined()
        write(lines)
        let checkpoint = try await checkpoint(behind: lines)
        write(lines + "missed\n", to: "vllm.log.1")
        truncate(path, 0)
        write("new\n")
        let log = try resume(checkpoint)
        await log.expect("missed\nnew\n")
        await log.expectNothingMore()
    }

    @Test("Vector test_inode_fingerprint, Fluent Bit db_compare_filename: an inode used again is another file")
    func inodeReuse() async throws {
        write("one\ntwo\n")
        let checkpoint = try await checkpoint(behind: "one\ntwo\n")
        unlink(path)
        // ext4 gives the number out again at once; where it does not, this is the test below.
        write("another log, longer than the first\n")
        let log = try resume(checkpoint)
        #expect(await log.replayed().isEmpty)
        await log.expect("another log, longer than the first\n")
    }

    @Test("Fluent Bit db_delete_stale_file: the checkpoint of a file that is gone counts for nothing")
    func gone() async throws {
        write("one\n")
        let checkpoint = try await checkpoint(behind: "one\n")
        unlink(path)
        let log = try resume(checkpoint)
        #expect(await log.replayed().isEmpty)
        write("new\n")
        await log.expect("new\n")
    }

    @Test("A log cut while nobody read is read from its first byte, however long it is by now")
    func cutWhileAway() async throws {
        write("one\n")
        let checkpoint = try await checkpoint(behind: "one\n")
        truncate(path, 0)
        write("three and more\n")
        try await resume(checkpoint).expect("three and more\n")
    }

    @Test("A start that began in a file since rotated is replayed from there")
    func originInRotatedFile() async throws {
        write("before\n")
        let log = try InotifyLogSource().follow(path)
        write("one\n")
        await log.expect("one\n")
        rename(path, folder.file("vllm.log.1"))
        write("two\n")
        await log.expect("two\n")
        let checkpoint = try #require(await log.checkpoint(behind: 8))
        let next = try resume(checkpoint)
        #expect(await next.replayed() == Array("one\n\ntwo\n".utf8))
        await next.expectNothingMore()
    }

    @Test("A place in a file that is no longer followed has no checkpoint")
    func placeInFormerFile() async throws {
        let log = try InotifyLogSource().follow(path)
        #expect(await log.checkpoint(behind: 0) == nil)
        write("one\n")
        await log.expect("one\n")
        rename(path, folder.file("vllm.log.1"))
        write("two\n")
        await log.expect("two\n")
        #expect(await log.checkpoint(behind: 3) == nil)
        #expect(await log.checkpoint(behind: 4) != nil)
        #expect(await log.checkpoint(behind: 9) == nil)
    }

    @Test("A file that was cut and has grown again has no checkpoint before it is read anew")
    func checkpointOfCutFile() async throws {
        write("one\n")
        let log = try InotifyLogSource().follow(path, from: .beginning)
        await log.expect("one\n")
        truncate(path, 0)
        write("three\n")
        #expect(await log.checkpoint(behind: 4) == nil)
        await log.expect("three\n")
        let checkpoint = try #require(await log.checkpoint(behind: 10))
        #expect(checkpoint.understood.offset == 6)
        #expect(checkpoint.origin.offset == 0)
    }

    @Test("Of a long log only the head and the end are replayed, cut at line ends")
    func boundedReplay() async throws {
        // Sparse, so that it costs nothing: the lines in question stand at both ends.
        let size = 10 << 30 as Int64
        write("first\n")
        #expect(truncate(path, off_t(size)) == 0)
        write("\nlast\n")
        let log = try InotifyLogSource().follow(path, from: .offset(size + 6))
        write("x")
        await log.expect("x")
        var checkpoint = try #require(await log.checkpoint(behind: 0))
        checkpoint.origin.offset = 0
        checkpoint.origin.fingerprint = LogFingerprint(of: [])
        let replayed = try await resume(checkpoint).replayed()
        #expect(replayed.count <= 2 * Int(LogReplay.longest) + 1)
        #expect(replayed.starts(with: Array("first\n".utf8)))
        #expect(replayed.suffix(6) == Array("\nlast\n".utf8))
    }
}
