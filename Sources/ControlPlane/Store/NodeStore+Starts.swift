internal import AgentWire
internal import GRDB

/// One start that ended in READY.
package struct StartSample: Equatable, Sendable {
    package var kind: StartKind
    package var seconds: Double
    package var phases: [String: Double]
    package var finishedAt: String
}

/// Starts are compared within one of these.
package struct StartKind: Hashable, Sendable {
    package var model: String
    package var gpu: String?
    package var vllmVersion: String?
}

extension NodeStore {
    /// Starts looked at for one answer.
    package static let maximumStarts = 10_000
    /// Starts kept; the oldest go first.
    private static let startsKept: Int64 = 200_000

    /// The newest ones first; nil does not restrict.
    package func starts(
        model: String?, gpu: String?, vllmVersion: String?, node: String?
    ) async throws -> [StartSample] {
        try await read { database in
            try Row.fetchAll(
                database,
                sql: """
                    SELECT model, gpu, vllm_version, startup_s, phases, finished_at FROM starts
                    WHERE model = COALESCE(:model, model) AND (:gpu IS NULL OR gpu = :gpu)
                        AND (:version IS NULL OR vllm_version = :version) AND node_id = COALESCE(:node, node_id)
                    ORDER BY number DESC LIMIT \(Self.maximumStarts)
                    """,
                arguments: ["model": model, "gpu": gpu, "version": vllmVersion, "node": node]
            )
            .map(Self.sample)
        }
    }

    /// Beside the event that says so, in its transaction. A start outlives its event, so the same event may come again
    /// as a new one, from a machine that was set back.
    static func insert(
        _ start: ReportedStart, endedBy event: String, of node: String, at time: String, _ database: Database
    ) throws {
        try database.execute(
            sql: """
                INSERT INTO starts (node_id, event_id, model, gpu, vllm_version, startup_s, phases, finished_at)
                SELECT n.id, ?, ?, json_extract(a.document, '$.gpu'), ?, ?, ?, ?
                FROM nodes n JOIN assignments a ON a.node_id = n.id AND a.generation = n.generation WHERE n.id = ?
                ON CONFLICT (node_id, event_id) DO NOTHING
                """,
            arguments: [
                event, start.model, start.vllmVersion, start.seconds,
                text(.object(start.phases.mapValues(JSONValue.number))), time, node,
            ])
        // Else the last row is one of another table.
        guard database.changesCount > 0 else { return }
        try database.execute(
            sql: "DELETE FROM starts WHERE number <= ?", arguments: [database.lastInsertedRowID - startsKept])
    }

    private static func sample(_ row: Row) throws -> StartSample {
        var phases: [String: Double] = [:]
        if case .object(let fields) = try document(row["phases"]) { phases = fields.compactMapValues(\.numberValue) }
        return StartSample(
            kind: StartKind(model: row["model"], gpu: row["gpu"], vllmVersion: row["vllm_version"]),
            seconds: row["startup_s"], phases: phases, finishedAt: row["finished_at"])
    }
}
