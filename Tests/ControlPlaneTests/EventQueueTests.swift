internal import AgentWire
internal import ControlPlane
internal import Testing

@Suite("The queue of events")
struct EventQueueTests {
    private static func entry(_ node: String) throws -> EventQueue.Entry {
        let event = try ReportedEvent(JSONValue.parse(Array(Event.json(1, of: node).utf8)), of: node)
        return EventQueue.Entry(node: node, events: [event], kept: 10) { _ in }
    }

    @Test("gathers for one transaction what comes while the last one is under way")
    func gathers() throws {
        let queue = EventQueue()
        #expect(try queue.add(Self.entry("node-a")))
        #expect(queue.take().count == 1)
        #expect(try !queue.add(Self.entry("node-b")))
        #expect(try !queue.add(Self.entry("node-c")))
        #expect(queue.take().count == 2)
        #expect(queue.take().isEmpty)
        #expect(try queue.add(Self.entry("node-d")), "whoever finds it at rest starts it again")
        #expect(queue.figures.commits == 2)
    }

    @Test("keeps the first of a flood waiting no longer than one bounded transaction")
    func bounded() throws {
        let queue = EventQueue()
        for number in 0...EventQueue.entriesPerCommit { _ = try queue.add(Self.entry("node-\(number)")) }
        #expect(queue.take().count == EventQueue.entriesPerCommit)
        #expect(queue.take().count == 1)
    }

    @Test("refuses what there is no room for, by number and by bytes, until some are gone")
    func refuses() throws {
        for queue in [EventQueue(maximumEntries: 1), EventQueue(maximumBytes: 400)] {
            _ = try queue.add(Self.entry("node-a"))
            #expect(throws: StoreOverloaded.self) { try queue.add(Self.entry("node-b")) }
            _ = queue.take()
            _ = try queue.add(Self.entry("node-b"))
        }
    }
}
