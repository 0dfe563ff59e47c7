internal import AgentCore
internal import AgentTestKit
internal import CLinux
internal import Dispatch
internal import Glibc
internal import Synchronization
internal import Testing

@testable internal import AgentSystem

/// On a file system with a page cache that lets go; a tmpfs never does.
@Suite("Reading ahead", .serialized)
struct ReadAheadTests {
    private let folder = TemporaryFolder()

    /// 8 MiB, on the disk and out of memory.
    private func coldFile(_ name: String) throws -> String {
        let path = folder.file(name)
        try LinuxFileStore().writeAtomically([UInt8](repeating: 7, count: 8 << 20), to: path, mode: 0o644)
        try drop(path)
        return path
    }

    private func drop(_ path: String) throws {
        let file = try Descriptor.open(path, O_RDONLY)
        #expect(posix_fadvise(file.number, 0, 0, POSIX_FADV_DONTNEED) == 0)
    }

    private func resident(_ path: String) -> UInt64 {
        (ResidentPages.ranges(of: path) ?? []).reduce(0) { $0 + UInt64($1.count) }
    }

    @Test("Finds what was touched, and brings exactly that back")
    func touchedPart() throws {
        let path = try coldFile("library.so")
        #expect(resident(path) == 0)
        _ = try Descriptor.open(path, O_RDONLY).read(upTo: 4096, at: 4 << 20)
        let ranges = try #require(ResidentPages.ranges(of: path))
        let plan = ReadAheadPlan(files: [ReadAheadPlan.File(path: path, ranges: ranges)])
        #expect(plan.bytes > 0 && plan.bytes < 8 << 20)
        try drop(path)
        #expect(resident(path) == 0)
        let outcome = ReadAhead.run(plan, threads: 4, spare: 0)
        #expect(outcome == ReadAhead.Outcome(bytes: plan.bytes, memoryWasShort: false))
        #expect(resident(path) >= plan.bytes)
        #expect(resident(path) < 8 << 20)
    }

    @Test("All of it is in memory when it returns, and what was counted was there")
    func whole() throws {
        let paths = try ["one.so", "two.so"].map(coldFile)
        let plan = ReadAheadPlan(
            files: paths.map { ReadAheadPlan.File(path: $0, ranges: [0..<(3 << 20), (5 << 20)..<(64 << 20)]) })
        let outcome = ReadAhead.run(plan, threads: 4, spare: 0)
        #expect(outcome.bytes == 2 * 6 << 20)
        for path in paths { #expect(resident(path) >= 6 << 20) }
    }

    @Test("Stops in the middle when memory becomes short, whichever thread notices")
    func shortOnTheWay() throws {
        let path = try coldFile("library.so")
        let plan = ReadAheadPlan(files: [ReadAheadPlan.File(path: path, ranges: [0..<(8 << 20)])])
        let looks = Atomic<Int>(0)
        let outcome = ReadAhead.run(plan, threads: 1, spare: 1 << 30) {
            looks.add(1, ordering: .relaxed).newValue == 1 ? 2 << 30 : 1 << 30
        }
        #expect(outcome == ReadAhead.Outcome(bytes: 4 << 20, memoryWasShort: true))
    }

    @Test("A thread that reads has the least share of the processors")
    func background() throws {
        let nice = Atomic<Int>(0)
        let ended = DispatchSemaphore(value: 0)
        _ = DetachedThread.start {
            clinux_background_thread()
            nice.store(Self.niceness(), ordering: .sequentiallyConsistent)
            ended.signal()
        }
        ended.wait()
        #expect(nice.load(ordering: .sequentiallyConsistent) == 19)
        #expect(Self.niceness() == 0)
    }

    /// Of the calling thread: the 19th field of its line, which begins behind the name in brackets.
    private static func niceness() -> Int {
        let bytes = (try? LinuxFileStore().read("/proc/thread-self/stat", limit: 4096)).flatMap { $0 } ?? []
        let fields = String(decoding: bytes, as: UTF8.self).split(separator: ")").last?.split(separator: " ") ?? []
        return fields.count > 16 ? Int(fields[16]) ?? -1 : -1
    }

    @Test("Stops when memory is short")
    func shortMemory() throws {
        let path = try coldFile("library.so")
        let plan = ReadAheadPlan(files: [ReadAheadPlan.File(path: path, ranges: [0..<(8 << 20)])])
        let outcome = ReadAhead.run(plan, threads: 2, spare: 1 << 30, available: { 1 << 30 })
        #expect(outcome == ReadAhead.Outcome(bytes: 0, memoryWasShort: true))
        #expect(resident(path) == 0)
    }

    @Test("Files that are gone are passed over")
    func goneFiles() throws {
        let path = try coldFile("library.so")
        let plan = ReadAheadPlan(files: [
            ReadAheadPlan.File(path: folder.file("gone"), ranges: [0..<4096]),
            ReadAheadPlan.File(path: path, ranges: [0..<4096]),
        ])
        #expect(ReadAhead.run(plan, threads: 1, spare: 0).bytes == 4096)
    }

    @Test("Records the engine's folders and nothing beside them, links of the program resolved")
    func workingSet() async throws {
        folder.write("#!/bin/sh", to: "stray")
        for name in ["engine-1/bin/vllm", "engine-1/lib/python3.11/site-packages/vllm/x.pyc"] {
            try LinuxFileStore().writeForThisBoot(Array("content".utf8), to: folder.file(name), mode: 0o755)
        }
        symlink("engine-1", folder.file("engine"))
        let plan = folder.file("plan")
        try ReadAheadRecording.record(engine: folder.file("engine/bin/vllm"), to: plan, use: FirstUse(modules: []))
        let recorded = ReadAheadPlan(text: try #require(try LinuxFileStore().read(plan, limit: 1 << 20)))
        #expect(
            Set(recorded.files.map(\.path)) == [
                folder.file("engine-1/bin/vllm"),
                folder.file("engine-1/lib/python3.11/site-packages/vllm/x.pyc"),
            ])
    }
}
