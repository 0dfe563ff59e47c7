internal import AgentCore
internal import AgentTestKit
internal import AgentWire
internal import Testing

@testable internal import AgentRuntime

/// Disks that are full, and files that are not what they were.
@Suite struct OutboxDamageTests {
    private let files = InMemoryFileStore()
    private let log = CollectingLog()
    private static let file = "/state/outbox/0000000000000001.json"

    private func outbox() async -> Outbox {
        let outbox = Outbox.sample(files: files, log: log)
        await outbox.recover()
        return outbox
    }

    @Test("A bit that is flipped anywhere, or an end that is missing, sets the file aside and nothing else")
    func damaged() async throws {
        let first = await outbox()
        for id in ["a", "b"] { first.addSample(id) }
        await first.storeAll()
        let whole = try #require(try files.read(Self.file, limit: 1 << 20))
        let torn = stride(from: 0, to: whole.count, by: 7).map { Array(whole.prefix($0)) }
        let flipped = whole.indices.map { index in
            var bytes = whole
            bytes[index] ^= 1 << UInt8(index % 8)
            return bytes
        }
        for bytes in torn + flipped {
            try files.writeAtomically(bytes, to: Self.file, mode: 0o600)
            let next = await outbox()
            #expect(next.events.map(\.id) == ["b"])
            #expect(next.figures.damaged == 1)
            #expect(try files.read("/state/outbox/bad/0000000000000001.json", limit: 1 << 20) == bytes)
            try files.remove("/state/outbox/bad/0000000000000001.json")
        }
    }

    @Test("What an agent before the sums wrote is taken over")
    func withoutSum() async throws {
        let record = #"{"event":\#(OutboxEvent.sampleBody("a", sequence: 1)),"url":null}"#
        try files.writeAtomically([UInt8](record.utf8), to: Self.file, mode: 0o600)
        #expect(await outbox().first?.id == "a")
    }

    @Test("On a full disk what matters is kept in the room that was kept for it; what is told in passing is not")
    func reserve() async throws {
        let outbox = await outbox()
        files.setCapacity(OutboxFolder.reserveBytes)
        outbox.addSample("passing", .phase)
        await outbox.storeAll()
        #expect(outbox.diskProblem?.contains("No space left") == true)
        let matters = await Self.decisive(files: files)
        #expect(matters.figures.pending == 1)
        #expect(files.text("/state/outbox/reserve") == nil)
        #expect(files.text(Self.file)?.contains("\"ready\"") == true)
        // The room comes back with the disk.
        files.setCapacity(nil)
        matters.addSample("more")
        await matters.storeAll()
        #expect(files.text("/state/outbox/reserve")?.utf8.count == OutboxFolder.reserveBytes)
    }

    @Test("What is told in passing and finds no room keeps nothing off the disk that matters, and mixes no order up")
    func pastWhatFindsNoRoom() async throws {
        let outbox = await outbox()
        files.setCapacity(OutboxFolder.reserveBytes)
        for kind: ReportKind in [.phase, .failed, .phase, .stopped] { outbox.addSample(kind.rawValue, kind) }
        await outbox.storeAll()
        #expect(outbox.diskProblem?.contains("No space left") == true)
        let all = ["phase", "failed", "phase", "stopped"]
        #expect(outbox.events.map(\.id) == all)
        // As after SIGKILL.
        #expect(await self.outbox().events.map(\.id) == ["failed", "stopped"])
        files.setCapacity(nil)
        await outbox.storeAll()
        #expect(outbox.diskProblem == nil)
        #expect(await self.outbox().events.map(\.id) == all)
    }

    @Test("The room that was given up is for what matters alone, and that there is none is said once")
    func givenUp() async throws {
        let outbox = await outbox()
        files.setCapacity(OutboxFolder.reserveBytes)
        for kind: ReportKind in [.failed, .phase, .stopped, .phase, .agentStarted] {
            outbox.addSample(kind.rawValue, kind)
            await outbox.storeAll()
        }
        let stored = try files.list("/state/outbox")
        #expect(stored == ["0000000000000001.json", "0000000000000003.json", "0000000000000005.json"])
        #expect(log.lines.count == 1)
    }

    @Test("A number that was told is not used again, whatever the disk took of it")
    func numberOfUnstored() async throws {
        let outbox = await outbox()
        outbox.addSample("a", .ready)
        await outbox.storeAll()
        await outbox.forget(outbox.events)
        files.setFull(true)
        outbox.addSample("b")
        await outbox.storeAll()
        await outbox.forget(outbox.events)
        files.setFull(false)
        let next = await self.outbox()
        next.addSample("c")
        #expect(next.first?.sequence == 3)
    }

    private static func decisive(files: InMemoryFileStore) async -> Outbox {
        let outbox = Outbox.sample(files: files)
        await outbox.recover()
        outbox.addSample("ready", .ready)
        await outbox.storeAll()
        return outbox
    }

    @Test("That the disk takes nothing, and that it does again, is known without an event")
    func recovers() async {
        let outbox = await outbox()
        files.setFull(true)
        outbox.addSample("a")
        await outbox.storeAll()
        #expect(outbox.diskProblem != nil)
        files.setFull(false)
        await outbox.storeAll()
        #expect(outbox.diskProblem == nil)
    }

    @Test("When memory is full, what matters least goes first and what matters most goes last")
    func sacrifice() {
        var queue = OutboxQueue()
        let kinds: [ReportKind] =
            [.agentStarted, .ready, .noticeSource, .phase]
            + Array(
                repeating: .failed, count: OutboxQueue.capacity - 4)
        for (index, kind) in kinds.enumerated() { _ = queue.add(kind, id: "\(index)", for: nil) { _ in [] } }
        var gone: [String] = []
        for index in 0..<3 {
            let before = Set(queue.events.map(\.id))
            #expect(queue.add(.stopped, id: "new \(index)", for: nil) { _ in [] } == 1)
            gone += before.subtracting(queue.events.map(\.id))
        }
        #expect(gone == ["3", "2", "1"])
        #expect(queue.events.first?.id == "0")
        #expect(queue.events.suffix(3).map(\.id) == ["new 0", "new 1", "new 2"])
    }
}
