internal import AgentCore
internal import AgentTestKit
internal import Testing

@testable internal import AgentRuntime

@Suite struct ConnectionKeeperTests {
    @Test(
        "A connection is used again before the server would drop it, and not more often than that",
        arguments: [
            ("", 45.0), ("timeout=5", 4), ("timeout=75, max=1000", 45), ("max=10, timeout=20", 16), ("timeout=0", 4),
            ("timeout=", 45), ("timeout=-3", 4), ("timeout=99999999999999999999", 45), ("nonsense", 45),
        ])
    func rest(header: String, seconds: Double) {
        let headers = header.isEmpty ? [:] : ["keep-alive": header]
        #expect(ConnectionKeeper.rest(after: headers, fraction: 0) == .seconds(seconds))
        #expect(ConnectionKeeper.rest(after: headers, fraction: 1) == .seconds(seconds) * 0.8)
    }

    @Test("The question goes where the next event would, by the client that urgent events use, and shows no token")
    func question() async throws {
        let http = ScriptedHTTPClient { _ throws(HTTPFailure) in .answer(404) }
        var ports = AgentPorts.standIns(http: ScriptedHTTPClient { _ throws(HTTPFailure) in .answer(500) })
        ports.urgent = http
        let keeper = ConnectionKeeper(outbox: .sample(), ports: ports)
        await withDiscardingTaskGroup { group in
            group.addTask { await keeper.run() }
            let first = await http.requests.first { _ in true }
            #expect(first?.method == .options)
            #expect(first?.url == "http://control.test/events")
            #expect(first?.headers.isEmpty == true)
            group.cancelAll()
        }
    }
}
