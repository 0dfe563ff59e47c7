// What a start has shown about loading, for the tuning of later ones.

extension NodeMachine {
    /// Only what was streamed, at a concurrency that the engine itself has named: a load from a disk says nothing about
    /// the link.
    func lesson(ofLoadOf assignment: Assignment) -> [NodeAction] {
        guard download == nil, assignment.modelURI.hasPrefix("s3://"), let load = start.load, load.isStreamed,
            let concurrency = load.concurrency, let rate = load.bytesPerSecond, rate > 0
        else { return [] }
        let measured = MeasuredLoad(concurrency: concurrency, bytesPerSecond: rate)
        return [.learn(.measured(measured), LoadKey(assignment))]
    }

    func lesson(_ changes: [SettingChange], of assignment: Assignment) -> [NodeAction] {
        // More memory because the largest tensor needs it is no step down.
        let steps = changes.filter { $0.to < $0.from || $0.from < 0 }
        return steps.isEmpty ? [] : [.learn(.steppedDown(steps), LoadKey(assignment))]
    }

    /// How the weights came, for the fleet; nil until the model serves.
    var load: LoadSummary? {
        guard case .running(let run) = state, run.stage == .serving else { return nil }
        return start.load
    }
}
