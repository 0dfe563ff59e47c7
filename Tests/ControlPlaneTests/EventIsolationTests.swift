internal import ControlPlane
internal import GRDB
internal import Testing

@Suite("Events that share a transaction")
struct EventIsolationTests {
    private let folder: TemporaryFolder

    init() throws {
        folder = try TemporaryFolder()
    }

    /// What the database refuses of one node, as a fault of this server's own would have it.
    private func refuseEvents(of node: String) throws {
        let queue = try DatabaseQueue(path: folder.path + "/control-plane.sqlite")
        try queue.write { database in
            try database.execute(
                sql: """
                    CREATE TRIGGER refusal BEFORE INSERT ON events WHEN NEW.node_id = '\(node)'
                    BEGIN SELECT RAISE(ABORT, 'refused'); END
                    """)
        }
    }

    @Test("are refused one by one: the trouble with those of one node is no other's")
    func alone() async throws {
        try await TestControlPlane(in: folder).withRouter { client in
            let bad = try await client.create()
            try refuseEvents(of: bad.id)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<30 {
                    let node = try await client.create()
                    for (node, status) in [(node, 202), (bad, 503)] {
                        group.addTask {
                            let answer = try await client.report(Event.json(1, of: node.id), as: node)
                            #expect(answer.status == status)
                        }
                    }
                }
                try await group.waitForAll()
            }
            let nodes = try await client.send(.get, "/api/v1/nodes").json["nodes"]?.arrayValue ?? []
            #expect(nodes.map { $0["events"] } == [.integer(0)] + Array(repeating: .integer(1), count: 30))
        }
    }
}
