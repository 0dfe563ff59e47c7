internal import AgentWire
internal import ControlPlane
internal import Testing

@Suite("A node's event")
struct ReportedEventTests {
    private func badFields(_ json: String) throws -> [String] {
        let body = try JSONValue.parse(Array(json.utf8))
        do {
            _ = try ReportedEvent(body, of: "node-a")
            return []
        } catch {
            return error.faults.map(\.field)
        }
    }

    @Test("is read with its sequence as a number")
    func good() throws {
        let event = try ReportedEvent(JSONValue.parse(Array(Event.json(12, of: "node-a").utf8)), of: "node-a")
        #expect(event.sequence == 12)
        #expect(event.id == "event-12")
        #expect(event.type == "io.crosslogic.node.phase.v1")
    }

    @Test("with nothing in it has every required field named")
    func empty() throws {
        #expect(
            try Set(badFields("{}")) == ["specversion", "id", "source", "type", "time", "sequence", "data"])
    }

    @Test("of another node is refused in source and in data")
    func foreign() throws {
        #expect(try badFields(Event.json(1, of: "node-b")) == ["source", "data.node_id"])
    }

    @Test(
        "has a sequence of plain digits above zero",
        arguments: ["-1", "+1", "0", "1.5", "99999999999999999999", " 1"])
    func badSequence(text: String) throws {
        let json = """
            {"specversion":"1.0","id":"e","source":"/nodes/node-a","type":"io.crosslogic.node.phase.v1",
             "time":"2026-01-02T03:04:05Z","sequence":"\(text)","data":{}}
            """
        #expect(try badFields(json) == ["sequence"])
    }

    @Test("has a time", arguments: ["yesterday", "2026-13-01T00:00:00Z", "2026-01-02 03:04"])
    func badTime(text: String) throws {
        let json = Event.json(1, of: "node-a").replacing("2026-01-02T03:04:05.678Z", with: text)
        #expect(try badFields(json) == ["time"])
    }
}
