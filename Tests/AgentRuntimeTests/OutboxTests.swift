internal import AgentCore
internal import AgentTestKit
internal import AgentWire
internal import Dispatch
internal import Locking
internal import Testing

@testable internal import AgentRuntime

@Suite struct OutboxTests {
    private let files = InMemoryFileStore()
    private let log = CollectingLog()

    private func outbox() async -> Outbox {
        let outbox = Outbox.sample(files: files, log: log)
        await outbox.recover()
        return outbox
    }

    @Test("What an agent did not deliver, the next one does, in order and under the same ids")
    func survivesRestart() async throws {
        let first = await outbox()
        for id in ["a", "b", "c"] { first.addSample(id) }
        await first.storeAll()
        await first.forget([try #require(first.first)])
        let second = await outbox()
        #expect(second.first?.id == "b")
        #expect(second.first?.sequence == 2)
        #expect(second.pending == 2)
        #expect(second.first?.body == [UInt8](OutboxEvent.sampleBody("b", sequence: 2).utf8))
    }

    @Test("Sequence numbers rise over restarts, also when nothing was left")
    func sequenceRises() async throws {
        let first = await outbox()
        first.addSample("a")
        await first.storeAll()
        await first.forget([try #require(first.first)])
        let second = await outbox()
        second.addSample("b")
        #expect(second.first?.sequence == 2)
    }

    @Test("An event the other side will never take is set aside, not lost")
    func parks() async throws {
        let outbox = await outbox()
        outbox.addSample("a")
        await outbox.storeAll()
        await outbox.park(try #require(outbox.first))
        #expect(outbox.first == nil)
        #expect(files.text("/state/outbox/parked/0000000000000001.json")?.contains("\"a\"") == true)
        #expect(try files.list("/state/outbox") == ["0000000000000001.acknowledged", "parked", "reserve"])
        #expect(outbox.figures.parked == 1)
    }

    @Test("On a full disk events come and go all the same, said once", arguments: [true, false])
    func fullDisk(isStored: Bool) async throws {
        let outbox = await outbox()
        for id in ["a", "b", "c"] { outbox.addSample(id) }
        if isStored { await outbox.storeAll() }
        files.setFull(true)
        await outbox.park(try #require(outbox.first))
        await outbox.forget([try #require(outbox.first)])
        #expect(outbox.first?.id == "c")
        #expect(try files.list("/state/outbox").filter { $0.hasSuffix(".json") }.count == (isStored ? 1 : 0))
        #expect(log.lines.count == 1)
    }

    @Test("Memory is bounded when nobody takes anything, and dropped events leave the disk")
    func bounded() async throws {
        let outbox = await outbox()
        for number in 1...OutboxQueue.capacity { outbox.addSample("\(number)") }
        await outbox.storeAll()
        outbox.addSample("one more")
        await outbox.storeAll()
        #expect(outbox.pending == OutboxQueue.capacity)
        let names = try files.list("/state/outbox")
        #expect(names.count == OutboxQueue.capacity + 1)
        #expect(outbox.figures.dropped == 1)
        #expect(!names.contains("0000000000000002.json"))
    }

    @Test(
        "One file that cannot be used is set aside and takes nothing with it",
        arguments: ["", "{", #"{"event":{},"url":null}"#, String(repeating: " ", count: 300_000)])
    func badFile(content: String) async throws {
        let first = await outbox()
        for id in ["a", "b"] { first.addSample(id) }
        await first.storeAll()
        let bad = "/state/outbox/0000000000000007.json"
        try files.writeAtomically([UInt8](content.utf8), to: bad, mode: 0o600)
        let second = await outbox()
        #expect(second.pending == 2)
        second.addSample("c")
        await second.storeAll()
        #expect(files.text("/state/outbox/0000000000000008.json")?.contains("\"c\"") == true)
        #expect(files.text("/state/outbox/bad/0000000000000007.json") == content)
        #expect(log.lines.contains { $0.contains("0000000000000007.json") })
    }

    @Test("Names that no agent wrote are left alone and cannot make the numbers overflow")
    func foreignNames() async throws {
        for name in ["18446744073709551615.json", "README", "1.json"] {
            try files.writeAtomically([], to: "/state/outbox/\(name)", mode: 0o600)
        }
        let outbox = await outbox()
        outbox.addSample("a")
        #expect(outbox.first?.sequence == 1)
        #expect(try files.list("/state/outbox").count == 4)
    }

    @Test("The disk is waited for on the outbox's own queue")
    func ownQueue() async {
        let key = DispatchSpecificKey<Bool>()
        let witness = QueueWitness(key)
        let outbox = Outbox.sample(files: witness, log: log)
        outbox.folder.executor.queue.setSpecific(key: key, value: true)
        await outbox.recover()
        outbox.addSample("a")
        await outbox.storeAll()
        #expect(witness.calls == [Bool](repeating: true, count: 7))
    }
}

/// A disk that notes whether it is called on the queue with the key.
private final class QueueWitness: FileStore {
    private let key: DispatchSpecificKey<Bool>
    private let seen = Mutex<[Bool]>([])

    init(_ key: DispatchSpecificKey<Bool>) { self.key = key }

    var calls: [Bool] { seen.withLock { $0 } }

    private func note() {
        let isThere = DispatchQueue.getSpecific(key: key) ?? false
        seen.withLock { $0.append(isThere) }
    }

    func read(_ path: String, limit: Int) throws(FileFailure) -> [UInt8]? {
        note()
        return nil
    }

    func list(_ folder: String) throws(FileFailure) -> [String] {
        note()
        return []
    }

    func writeAtomically(_ bytes: [UInt8], to path: String, mode: UInt32) throws(FileFailure) { note() }
    func writeForThisBoot(_ bytes: [UInt8], to path: String, mode: UInt32) throws(FileFailure) { note() }
    func remove(_ path: String) throws(FileFailure) { note() }
    func move(_ path: String, to newPath: String) throws(FileFailure) { note() }
    func isExecutable(_ path: String) -> Bool { false }
    func freeBytes(below folder: String) -> UInt64? { nil }
}
