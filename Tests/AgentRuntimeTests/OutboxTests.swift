internal import AgentCore
internal import AgentTestKit
internal import Testing

@testable internal import AgentRuntime

@Suite struct OutboxTests {
    private func outbox(_ files: InMemoryFileStore) throws -> Outbox {
        let outbox = Outbox(folder: "/state/outbox", files: files, target: EventTarget(url: "http://control.test"))
        try outbox.recover()
        return outbox
    }

    private func add(_ id: String, to outbox: Outbox) {
        outbox.add(.phase, id: id) { sequence in [UInt8](#"{"id":"\#(id)","n":\#(sequence)}"#.utf8) }
    }

    @Test("What an agent did not deliver, the next one does, in order and under the same ids")
    func survivesRestart() throws {
        let files = InMemoryFileStore()
        let first = try outbox(files)
        for id in ["a", "b", "c"] { add(id, to: first) }
        for _ in 1...3 {
            let item = try #require(first.first()?.item)
            try first.persist(item)
            guard item.id == "a" else { break }
            try first.remove(item)
        }
        let second = try outbox(files)
        #expect(second.first()?.item.id == "b")
        #expect(second.first()?.item.sequence == 2)
    }

    @Test("Sequence numbers rise over restarts, also when nothing was left")
    func sequenceRises() throws {
        let files = InMemoryFileStore()
        let first = try outbox(files)
        add("a", to: first)
        let item = try #require(first.first()?.item)
        try first.persist(item)
        try first.remove(item)
        let second = try outbox(files)
        add("b", to: second)
        #expect(second.first()?.item.sequence == 2)
    }

    @Test("An event the other side will never take is set aside, not lost")
    func parks() throws {
        let files = InMemoryFileStore()
        let outbox = try outbox(files)
        add("a", to: outbox)
        let item = try #require(outbox.first()?.item)
        try outbox.persist(item)
        try outbox.park(item)
        #expect(outbox.first() == nil)
        #expect(files.text("/state/outbox/parked/0000000000000001.json")?.contains("\"a\"") == true)
    }

    @Test("Memory is bounded when nobody takes anything")
    func bounded() throws {
        let outbox = try outbox(InMemoryFileStore())
        for number in 0...Outbox.capacity { add("\(number)", to: outbox) }
        #expect(outbox.pending == Outbox.capacity)
    }
}
