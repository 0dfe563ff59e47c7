internal import AgentCore
internal import AgentSystem
internal import AgentTestKit
internal import Glibc
internal import Testing

@Suite(.timeLimit(.minutes(1)))
struct InotifyLogSourceTests {
    let folder = TemporaryFolder()
    var path: String { folder.file("vllm.log") }

    @Test("Reading begins at the end of what is there")
    func startsAtEnd() async throws {
        folder.append(Array("old\n".utf8), to: "vllm.log")
        let log = try InotifyLogSource().follow(path)
        folder.append(Array("new".utf8), to: "vllm.log")
        #expect(await log.next() == Array("new".utf8))
    }

    @Test("A log that appears later, in a folder that appears later, is read from its first byte")
    func appears() async throws {
        let log = try InotifyLogSource().follow(folder.file("later/vllm.log"))
        await withTaskGroup(of: [UInt8]?.self) { group in
            group.addTask { await log.next() }
            mkdir(folder.file("later"), 0o700)
            folder.append([1, 2], to: "later/vllm.log")
            #expect(await group.next() == [1, 2])
        }
    }

    @Test("Chunks are at most 64 KiB, however much was written")
    func chunks() async throws {
        let log = try InotifyLogSource().follow(path)
        let bytes = (0..<200_000).map { UInt8(truncatingIfNeeded: $0 / 7) }
        folder.append(bytes, to: "vllm.log")
        var read: [UInt8] = []
        while read.count < bytes.count {
            let chunk = try #require(await log.next())
            #expect(!chunk.isEmpty && chunk.count <= 1 << 16)
            read += chunk
        }
        #expect(read == bytes)
    }

    @Test("The end is where all that was written has been given out")
    func end() async throws {
        folder.append(Array("old\n".utf8), to: "vllm.log")
        let log = try InotifyLogSource().follow(path)
        #expect(await log.isAtEnd(behind: 0))
        folder.append(Array("a\n".utf8), to: "vllm.log")
        #expect(await !log.isAtEnd(behind: 0))
        await log.expect("a\n")
        #expect(await !log.isAtEnd(behind: 0))
        #expect(await log.isAtEnd(behind: 2))
    }

    @Test("A renamed log is followed until the new one has been written to; a line ends with its file")
    func rotation() async throws {
        let log = try InotifyLogSource().follow(path)
        folder.append(Array("a\n".utf8), to: "vllm.log")
        await log.expect("a\n")
        rename(path, folder.file("vllm.log.1"))
        folder.append([], to: "vllm.log")
        // The engine knows nothing of the rename.
        folder.append(Array("b\n".utf8), to: "vllm.log.1")
        await log.expect("b\n")
        folder.append(Array("c".utf8), to: "vllm.log.1")
        folder.append(Array("d".utf8), to: "vllm.log")
        await log.expect("c\nd")
    }

    @Test("A link, a folder or a FIFO is refused in words that fix it")
    func refused() throws {
        folder.write("secret", to: "target")
        symlink(folder.file("target"), folder.file("link"))
        symlink("/nowhere", folder.file("dangling"))
        mkdir(folder.file("folder"), 0o700)
        mkfifo(folder.file("fifo"), 0o600)
        for (name, word) in [
            ("link", "a symbolic link"), ("dangling", "a symbolic link"), ("folder", "a directory"), ("fifo", "a FIFO"),
        ] {
            let report = #expect(throws: FailureReport.self) { try InotifyLogSource().follow(folder.file(name)) }
            #expect(report?.failure == .engineLog)
            #expect(report?.message.contains(word) == true)
            #expect(report?.message.contains(folder.file(name)) == true)
        }
    }

    @Test("A log replaced by a link is not followed into it")
    func replacedByLink() async throws {
        folder.write("secret", to: "target")
        let log = try InotifyLogSource().follow(path)
        folder.append(Array("1\n".utf8), to: "vllm.log")
        await log.expect("1\n")
        unlink(path)
        symlink(folder.file("target"), path)
        await withTaskGroup(of: [UInt8]?.self) { group in
            group.addTask { await log.next() }
            unlink(path)
            folder.append([2], to: "vllm.log")
            #expect(await group.next() == [2])
        }
    }

    @Test("A cancelled reader gets nil at once, before and during its wait")
    func cancellation() async throws {
        let log = try InotifyLogSource().follow(path)
        await withTaskGroup(of: [UInt8]?.self) { group in
            for _ in 0..<50 {
                group.addTask { await log.next() }
                await Task.yield()
                group.cancelAll()
                #expect(await group.next() == .some(nil))
            }
        }
        folder.append([9], to: "vllm.log")
        #expect(await log.next() == [9])
    }

    @Test("A writer that appends and rotates is read byte for byte while it writes")
    func concurrentWriter() async throws {
        folder.append([], to: "vllm.log")
        let log = try InotifyLogSource().follow(path)
        let total = 400_000
        let (received, progress) = AsyncStream.makeStream(of: Int.self)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { [folder] in
                var received = received.makeAsyncIterator()
                var random = SeededGenerator(seed: 7)
                var written = 0
                while written < total {
                    let count = min(Int.random(in: 1...5000, using: &random), total - written)
                    folder.append((written..<written + count).map(Self.byte), to: "vllm.log")
                    written += count
                    // Between lines: one does not go on in another file.
                    guard Self.byte(written - 1) == UInt8(ascii: "\n") else { continue }
                    rename(folder.file("vllm.log"), folder.file("vllm.log.\(written)"))
                    // A file that comes and goes between two looks is never seen, so the next rotation waits.
                    folder.append([Self.byte(written)], to: "vllm.log")
                    written += 1
                    while let seen = await received.next(), seen < written {}
                }
            }
            var seen = 0
            while seen < total {
                let chunk = try #require(await log.next())
                #expect(chunk == (seen..<seen + chunk.count).map(Self.byte))
                seen += chunk.count
                progress.yield(seen)
            }
            progress.finish()
            try await group.waitForAll()
        }
    }

    /// Every seventh is a newline.
    private static func byte(_ index: Int) -> UInt8 {
        index % 7 == 0 ? UInt8(ascii: "\n") : UInt8(ascii: "a") + UInt8(index / 7 % 26)
    }

    @Test("A follower that is asked to finish reads what is there and then ends, also while it waits")
    func finish() async throws {
        let log = try InotifyLogSource().follow(path)
        folder.append(Array("last".utf8), to: "vllm.log")
        log.finish()
        #expect(await log.next() == Array("last".utf8))
        #expect(await log.next() == nil)

        let waiting = try InotifyLogSource().follow(path)
        await withTaskGroup { group in
            group.addTask { await waiting.next() }
            waiting.finish()
            #expect(await group.next() == .some(nil))
        }
    }

    @Test("A follower that is let go closes its descriptors")
    func descriptors() async {
        await #expect(processExitsWith: .success) { [path = path as String] in
            func open() -> Int { links(of: getpid()).values.count { $0.contains("inotify") || $0 == path } }
            for _ in 0..<20 {
                let log = try InotifyLogSource().follow(path)
                guard let file = fopen(path, "a") else { exit(2) }
                fputs("x", file)
                fclose(file)
                guard await log.next() != nil else { exit(3) }
            }
            // libdispatch hands descriptors back on its own threads; the suite's time limit is the deadline.
            while open() > 0 { await Task.yield() }
        }
    }
}
