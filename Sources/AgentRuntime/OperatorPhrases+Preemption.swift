internal import AgentCore

extension OperatorPhrases {
    static func notice(_ notice: Notice, secondsLeft: Double) -> String {
        "\(notice.kind.rawValue) announced by \(notice.source) (\(notice.id)), \(whole(secondsLeft)) s left"
    }

    static func spared(_ notice: Notice, _ status: PreemptionReport.Status) -> String {
        switch status {
        case .withdrawn: "\(notice.source) has taken back its notice (\(notice.id))"
        default: "the time of the notice (\(notice.id)) is over and the machine is still there"
        }
    }

    static func preempted(_ report: PreemptionReport) -> String {
        guard let outcome = report.outcome else { return "preempted" }
        let finished = outcome.finished.map(String.init) ?? "an unknown number of"
        let cut = outcome.cut.map(String.init) ?? "unknown"
        return "drained for the notice: \(finished) requests finished, \(cut) cut, "
            + "\(whole(outcome.used.inSeconds)) s used, \(whole(outcome.left.inSeconds)) s left"
    }

    static func source(_ source: SourceHealth) -> (OperatorLogLevel, String) {
        switch source.state {
        case .blind:
            (.warning, "notices of \(source.name) cannot be seen: \(source.reason ?? "no answer")")
        case .ok, .starting: (.notice, "notices of \(source.name) can be seen")
        }
    }

    private static func whole(_ value: Double) -> Int { Int(value.rounded()) }
}
