internal import AgentCore
internal import AgentTestKit
internal import Glibc
internal import Testing

@testable internal import AgentSystem

/// The cases of GNU coreutils' `tests/tail` that a reader by name can be held to. Left out are those about options,
/// headers, pipes, standard input, devices and files without a size (/proc, /sys).
@Suite(.timeLimit(.minutes(1)))
struct TailListTests {
    let folder = TemporaryFolder()
    var path: String { folder.file("vllm.log") }

    func write(_ text: String, to name: String = "vllm.log") { folder.append(Array(text.utf8), to: name) }

    @Test("GNU F-vs-missing, retry: a file that is not there yet is read when it comes")
    func missing() async throws {
        let log = try InotifyLogSource().follow(folder.file("missing/vllm.log"))
        mkdir(folder.file("missing"), 0o700)
        write("x\n", to: "missing/vllm.log")
        await log.expect("x\n")
    }

    @Test("GNU F-vs-rename: the name counts, and another file that takes it is read from its beginning")
    func renamedOver() async throws {
        write("b\n", to: "other")
        let log = try InotifyLogSource().follow(path)
        write("a\n")
        await log.expect("a\n")
        rename(folder.file("other"), path)
        await log.expect("b\n")
        write("b2\n")
        await log.expect("b2\n")
    }

    @Test("GNU descriptor-vs-rename: a renamed file goes on while nothing has its name")
    func renamedAway() async throws {
        let log = try InotifyLogSource().follow(path)
        write("a\n")
        await log.expect("a\n")
        rename(path, folder.file("renamed"))
        write("more\n", to: "renamed")
        await log.expect("more\n")
    }

    @Test("GNU assert, assert-2, retry: a path that becomes a folder and a file again", arguments: [true, false])
    func becomesFolder(wasRead: Bool) async throws {
        let log = try InotifyLogSource().follow(path)
        if wasRead {
            write("a\n")
            await log.expect("a\n")
            unlink(path)
        }
        mkdir(path, 0o700)
        await withTaskGroup { group in
            group.addTask { await log.bytes(2) }
            rmdir(path)
            write("b\n")
            #expect(await group.next() == Array("b\n".utf8))
        }
    }

    @Test("GNU big-4gb, start-middle: places behind 4 GiB, and in the middle")
    func places() async throws {
        write("begin")
        #expect(truncate(path, 5 << 30) == 0)
        let log = try InotifyLogSource().follow(path)
        write("end\n")
        await log.expect("end\n")
        let middle = try InotifyLogSource().follow(path, from: .offset(5 << 30 - 2))
        await middle.expect("\0\0end\n")
        let beyond = try InotifyLogSource().follow(path, from: .offset(6 << 30))
        #expect(await beyond.bytes(5).starts(with: Array("begin".utf8)))
    }

    @Test("GNU flush-initial: what is there is read without anything coming")
    func initial() async throws {
        write("there\n")
        try await InotifyLogSource().follow(path, from: .beginning).expect("there\n")
    }

    @Test("GNU follow-symlink, symlink: what a link leads to, also when it or its target becomes another")
    func links() async throws {
        mkdir(folder.file("real"), 0o700)
        symlink("real/a", path)
        let log = try InotifyLogSource(links: .followed).follow(path)
        write("a\n", to: "real/a")
        await log.expect("a\n")
        write("b\n", to: "real/b")
        symlink("real/b", folder.file("new"))
        rename(folder.file("new"), path)
        await log.expect("b\n")
        unlink(folder.file("real/b"))
        write("b2\n", to: "real/b")
        await log.expect("b2\n")
        rename(folder.file("real/b"), folder.file("real/b.1"))
        write("b3\n", to: "real/b.1")
        write("b4\n", to: "real/b")
        await log.expect("b3\nb4\n")
    }

    @Test("A link is followed to regular files only")
    func linkToFolder() {
        symlink(folder.path, path)
        let report = #expect(throws: FailureReport.self) { try InotifyLogSource(links: .followed).follow(path) }
        #expect(report?.message.contains("it is a directory") == true)
    }

    @Test("GNU inotify-dir-recreate: the folder goes and comes back")
    func folderRecreated() async throws {
        mkdir(folder.file("folder"), 0o700)
        let log = try InotifyLogSource().follow(folder.file("folder/vllm.log"))
        write("a\n", to: "folder/vllm.log")
        await log.expect("a\n")
        unlink(folder.file("folder/vllm.log"))
        rmdir(folder.file("folder"))
        mkdir(folder.file("folder"), 0o700)
        write("b\n", to: "folder/vllm.log")
        await log.expect("b\n")
    }

    @Test("GNU inotify-hash-abuse, inotify-hash-abuse2, inotify-rotate: a hundred files under one name")
    func manyFiles() async throws {
        let log = try InotifyLogSource().follow(path)
        for number in 0..<100 {
            write("\(number)\n")
            await log.expect("\(number)\n")
            if number % 3 == 0 { unlink(path) } else { rename(path, folder.file("vllm.log.\(number % 3)")) }
        }
    }

    @Test("GNU inotify-race, inotify-race2: written to or replaced between the opening and the first look")
    func races() async throws {
        write("old\n")
        let log = try InotifyLogSource().follow(path)
        write("new\n")
        rename(path, folder.file("vllm.log.1"))
        write("newer\n")
        await log.expect("new\nnewer\n")
    }

    @Test("GNU inotify-rotate-resources: rotations cost no descriptors and no watches")
    func resources() async {
        await #expect(processExitsWith: .success) { [folder = folder.path as String] in
            let path = "\(folder)/vllm.log"
            guard let log = try? InotifyLogSource().follow(path) else { exit(2) }
            var after: [Int] = []
            for number in 0..<60 {
                guard let file = fopen(path, "a") else { exit(3) }
                fputs("x\n", file)
                fclose(file)
                guard await log.next() != nil else { exit(4) }
                if number == 5 { after = descriptorsAndWatches() }
                // One more while the file that was renamed is still being read to its end.
                if number == 59, zip(descriptorsAndWatches(), after).contains(where: { $0 > $1 + 2 }) { exit(5) }
                rename(path, "\(folder)/vllm.log.\(number % 2)")
            }
        }
    }

    @Test("GNU truncate: a file that was cut is read from its first byte")
    func truncated() async throws {
        let log = try InotifyLogSource().follow(path)
        write("long line\n")
        await log.expect("long line\n")
        truncate(path, 0)
        write("b\n")
        await log.expect("b\n")
        truncate(path, 0)
        write("cut and grown to more than before\n")
        await log.expect("cut and grown to more than before\n")
        truncate(path, 0)
        write("cut and grown to the size it was.\n")
        await log.expect("cut and grown to the size it was.\n")
    }

    @Test("GNU append-only, tail-n0f: a file opened for appending by several, from its end")
    func appended() async throws {
        write("old\n")
        let log = try InotifyLogSource().follow(path)
        for number in 0..<10 { write("\(number)\n") }
        await log.expect((0..<10).map { "\($0)\n" }.joined())
        await log.expectNothingMore()
    }

    @Test("Without inotify every change is found by looking, as GNU tail does with ---disable-inotify")
    func withoutInotify() async throws {
        let logPath = LogPath(path, links: .refused)
        let log = LogFollower(logPath, opened: nil, from: .end, usesInotify: false)
        write("a\n")
        await log.expect("a\n")
        rename(path, folder.file("vllm.log.1"))
        write("b\n")
        await log.expect("b\n")
        truncate(path, 0)
        write("longer\n")
        await log.expect("longer\n")
    }
}

/// How many descriptors this process has, and how many files its inotify instances watch.
private func descriptorsAndWatches() -> [Int] {
    let open = links(of: getpid())
    let watches = open.filter { $0.value.contains("inotify") }.map { descriptor, _ in
        let facts = LinuxFileStore().text(of: "/proc/self/fdinfo/\(descriptor)")
        return facts.split(separator: "\n").count { $0.hasPrefix("inotify wd") }
    }
    return [open.count, watches.reduce(0, +)]
}

extension LinuxFileStore {
    fileprivate func text(of path: String) -> String {
        String(decoding: (try? read(path, limit: 1 << 16)) ?? [], as: UTF8.self)
    }
}
