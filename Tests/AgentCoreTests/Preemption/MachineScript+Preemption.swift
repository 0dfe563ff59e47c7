internal import AgentCore

extension NodeEvent {
    static func counted(_ count: Int?, drains: Duration?) -> NodeEvent {
        .preemption(.counted(count, engineDrains: drains))
    }

    static let nothing = NodeEvent.preemption(.found(.listed(key: "end", []), source: "aws"))
}

extension MachineScript {
    static let onAWS: [NodeEvent] = [.preemption(.settled(CloudPlace(.aws)))]

    /// So many seconds ahead of the moment in which it is told.
    @discardableResult
    mutating func notice(
        in seconds: Int64, _ kind: NoticeKind = .terminate, mark: String = "m", from source: String = "aws"
    ) -> [NodeAction] {
        let deadline = next + .seconds(seconds)
        let finding = SourceFinding.listed(key: "end", [Sighting(kind, origin: "end", deadline: deadline, mark: mark)])
        return on(.preemption(.found(finding, source: source)))
    }
}

extension NodeMachine {
    var shown: NodeSnapshot {
        snapshot(
            nodeID: "node", port: 8000, versions: NodeSnapshot.Versions(agent: "test"), at: BootInstant(nanoseconds: 0))
    }

    var showsServing: Bool { shown.isServing }

    var hasEngine: Bool {
        switch state {
        case .running, .stopping: true
        case .waiting, .preparing, .backoff, .failed, .leaving, .finished: false
        }
    }
}

extension [NodeAction] {
    func preemption(_ kind: ReportKind) -> PreemptionReport? {
        for case .report(let report) in self where report.kind == kind { return report.preemption }
        return nil
    }
}
