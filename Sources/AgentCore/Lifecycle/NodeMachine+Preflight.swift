// What was found out about store and machine before the engine is executed, and about its caches afterwards.

extension NodeMachine {
    /// A generation that was overtaken in the meantime is not told about.
    mutating func preflightDone(_ judged: Int64, _ report: PreflightReport) -> [NodeAction] {
        guard case .preparing(let assignment) = state, assignment.generation == judged else {
            return successorJudged(judged, report)
        }
        preflight = report
        return [.tell(.preflightDone(report))]
    }

    mutating func cachesJudged(_ judged: Int64, _ verdict: CacheVerdict) -> [NodeAction] {
        guard case .running(let run) = state, run.assignment.generation == judged else { return [] }
        caches = verdict
        return [.tell(.cachesJudged(verdict)), .report(.judged(verdict))]
    }

    /// What the weights will bring over the network, until the engine's own plan says it; nil where nobody knows.
    /// What was downloaded before does not come over the network again.
    var expectedBytes: Double? {
        guard download == nil else { return nil }
        return preflight?.networkBytes.map { Double($0) }
    }
}
