internal import AgentCore
internal import AgentTestKit
internal import Dispatch
internal import Locking
internal import Testing

@testable internal import AgentRuntime

/// What the outbox asks of the disk, and what is left of it where an agent dies between two of its requests.
@Suite(.timeLimit(.minutes(1))) struct OutboxSyncTests {
    private let disk = MeteredDisk()

    private func outbox() async -> Outbox {
        let outbox = Outbox.sample(files: disk)
        await outbox.recover()
        return outbox
    }

    @Test("An event is written once, however many wait for it to be on disk")
    func once() async {
        let outbox = await outbox()
        outbox.addSample("a")
        let (writes, gate) = (disk.syncs, DispatchSemaphore(value: 0))
        disk.hold(until: gate)
        await withDiscardingTaskGroup { group in
            for _ in 0..<4 { group.addTask { await outbox.storeAll() } }
            group.addTask { gate.signal() }
        }
        #expect(disk.syncs == writes + 1)
    }

    @Test("What was taken is forgotten without a sync, for which the next event would wait")
    func forgetting() async {
        let outbox = await outbox()
        for id in ["a", "b", "c"] { outbox.addSample(id) }
        await outbox.storeAll()
        let syncs = disk.syncs
        await outbox.forget(Array(outbox.events.prefix(2)))
        await outbox.forget(outbox.events)
        #expect(disk.syncs == syncs)
    }

    @Test("Wherever an agent dies while it forgets, nothing untaken is lost and no number is used again")
    func crashes() async throws {
        for requests in 0..<12 {
            let disk = MeteredDisk()
            let outbox = Outbox.sample(files: disk)
            await outbox.recover()
            for id in ["a", "b", "c", "d"] { outbox.addSample(id) }
            await outbox.storeAll()
            let events = outbox.events
            disk.die(after: requests)
            await outbox.forget([events[0]])
            await outbox.forget(Array(events[1...2]))
            disk.live()
            let next = Outbox.sample(files: disk)
            await next.recover()
            #expect(next.events.last?.id == "d")
            #expect(next.events.map(\.sequence) == next.events.map(\.sequence).sorted())
            await next.forget(next.events)
            let last = Outbox.sample(files: disk)
            await last.recover()
            last.addSample("e")
            #expect(last.first?.sequence == 5)
            #expect(try disk.list("/state/outbox").count { $0.hasSuffix(".acknowledged") } == 1)
        }
    }

    @Test("A number outlives an event that no disk has ever had")
    func unstored() async throws {
        let outbox = await outbox()
        outbox.addSample("a")
        await outbox.forget(outbox.events)
        let next = await self.outbox()
        next.addSample("b")
        #expect(next.first?.sequence == 2)
    }
}

/// A disk that counts what is synced, can be slow, and can stop to obey: what it holds then is what a crash leaves.
private final class MeteredDisk: FileStore {
    private struct State {
        var syncs = 0
        /// nil: as many as are asked for.
        var requestsLeft: Int?
        var gate: DispatchSemaphore?
    }

    private let files = InMemoryFileStore()
    private let state = Mutex(State())

    var syncs: Int { state.withLock { $0.syncs } }

    /// The next write ends when somebody has signalled this.
    func hold(until gate: DispatchSemaphore) { state.withLock { $0.gate = gate } }
    func die(after requests: Int) { state.withLock { $0.requestsLeft = requests } }
    func live() { state.withLock { $0.requestsLeft = nil } }

    private func obey() throws(FileFailure) {
        let obeys = state.withLock { state in
            guard let left = state.requestsLeft else { return true }
            state.requestsLeft = max(left - 1, 0)
            return left > 0
        }
        if !obeys { throw FileFailure(operation: "any", path: "/state", errno: 5, reason: "Input/output error") }
    }

    func writeAtomically(_ bytes: [UInt8], to path: String, mode: UInt32) throws(FileFailure) {
        try obey()
        let gate = state.withLock { state in
            state.syncs += 1
            defer { state.gate = nil }
            return state.gate
        }
        gate?.wait()
        try files.writeAtomically(bytes, to: path, mode: mode)
    }

    func writeForThisBoot(_ bytes: [UInt8], to path: String, mode: UInt32) throws(FileFailure) {
        try obey()
        try files.writeForThisBoot(bytes, to: path, mode: mode)
    }

    func remove(_ path: String) throws(FileFailure) {
        try obey()
        try files.remove(path)
    }

    func move(_ path: String, to newPath: String) throws(FileFailure) {
        try obey()
        try files.move(path, to: newPath)
    }

    func read(_ path: String, limit: Int) throws(FileFailure) -> [UInt8]? { try files.read(path, limit: limit) }
    func list(_ folder: String) throws(FileFailure) -> [String] { try files.list(folder) }
    func isExecutable(_ path: String) -> Bool { false }
    func freeBytes(below folder: String) -> UInt64? { files.freeBytes(below: folder) }
}
