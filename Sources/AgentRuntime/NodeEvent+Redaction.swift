internal import AgentCore

extension NodeEvent {
    /// What others wrote goes on to log, events and heartbeat, so known secrets are taken out before that.
    func redacted(by redaction: Redaction) -> NodeEvent {
        switch self {
        case .failureExplained(let report): .failureExplained(redaction.report(report))
        case .preparationFailed(let generation, let report):
            .preparationFailed(generation: generation, redaction.report(report))
        case .preflightDone(let generation, let report):
            .preflightDone(generation: generation, report.redacted(by: redaction))
        case .cachesJudged(let generation, let verdict):
            .cachesJudged(generation: generation, verdict.redacted(by: redaction))
        case .canaryFailed(let reason): .canaryFailed(reason: redaction.text(reason))
        case .controlPlaneLost(let reason): .controlPlaneLost(reason: redaction.text(reason))
        case .deliveryChanged(let problem?): .deliveryChanged(problem: redaction.text(problem))
        default: self
        }
    }
}

extension CacheVerdict {
    fileprivate func redacted(by redaction: Redaction) -> CacheVerdict {
        var verdict = self
        verdict.reason = reason.map { redaction.text($0) }
        verdict.name(differences: differences.map { redaction.text($0) })
        return verdict
    }
}

extension PreflightReport {
    fileprivate func redacted(by redaction: Redaction) -> PreflightReport {
        var report = self
        for index in findings.indices { report.findings[index].message = redaction.text(findings[index].message) }
        return report
    }
}
