internal import AgentCore

/// The words operators read, all in one place.
enum OperatorPhrases {
    static func line(_ message: OperatorMessage) -> (OperatorLogLevel, String) {
        switch message {
        case .waitingForAssignment: (.info, "waiting for an assignment")
        case .assignmentAccepted(let generation, let model): (.notice, "assignment \(generation): \(model)")
        case .assignmentRejected(let faults):
            (.error, "assignment rejected: \(faults.map(\.description).joined(separator: "; "))")
        case .successorReceived(let generation, let model, let current):
            (.notice, "assignment \(generation): \(model); it is prepared while \(current) goes on")
        case .successorRefused(let generation, let current, let report):
            (.error, "assignment \(generation) cannot work, \(current) goes on: \(failed(report, nil))")
        case .preflightDone(let report): preflight(report)
        case .downloadBegan(let download): (.notice, self.download(download))
        case .cachesJudged(let verdict): caches(verdict)
        case .staleAssignment(let generation, let current):
            (.info, "assignment \(generation) is older than \(current) and ignored")
        case .controlPlaneLost(let reason): (.warning, "control plane: \(reason); asking again with backoff")
        case .controlPlaneFound: (.notice, "control plane answers again")
        case .partitioned(let silence):
            (
                .error,
                "nothing heard of the control plane for \(seconds(silence.inSeconds)), more than"
                    + " CROSSLOGIC_PARTITION_STOP_AFTER: the node stops until it answers again"
            )
        case .revoked: (.notice, "the control plane has revoked this node")
        case .engineStarted(let pid): (.notice, "engine started, pid \(pid)")
        case .engineAdopted(let pid, let generation):
            (.notice, "going on with the engine of assignment \(generation)\(pid.map { ", pid \($0)" } ?? "")")
        case .phase(let phase, let after):
            (.info, "phase \(phase.rawValue)\(after.map { " at +\(seconds($0))" } ?? "")")
        case .canaryFailed(let reason, let attempt): (.warning, "one-token request \(attempt) failed: \(reason)")
        case .ready(let after): (.notice, "READY\(after.map { ", \(seconds($0)) after exec" } ?? "")")
        case .failed(let report, let exit): (.error, failed(report, exit))
        case .retrying(let delay, let changes):
            (.notice, "trying again in \(seconds(delay.inSeconds))" + changes.map(change).joined())
        case .stopping(let drain):
            (.notice, drain.map { "draining, at most \(seconds($0.inSeconds))" } ?? "stopping the engine")
        case .engineSilent: (.warning, "the engine does not answer /health; not ready until it does")
        case .engineKilled: (.warning, "killing the engine's processes")
        case .engineGone: (.info, "no process of the engine is left")
        case .undelivered: (.warning, "the control plane took not every event; the rest stays in the outbox")
        case .notice(let notice, let left): (.warning, Self.notice(notice, secondsLeft: left))
        case .advice(let notice):
            (.notice, "\(notice.source) advises: \(notice.kind.rawValue) (\(notice.id)); the node goes on")
        case .spared(let notice, let status): (.notice, spared(notice, status))
        case .preempted(let report): (.notice, preempted(report))
        case .noticeSource(let health): source(health)
        case .unexpected(let event, let state): (.warning, "\(event) in state \(state) was not expected")
        }
    }

    /// One line, so that it is found beside the start it belongs to; what is fatal is told again as the failure.
    private static func preflight(_ report: PreflightReport) -> (OperatorLogLevel, String) {
        let bytes = report.weightBytes.map { ", \($0) bytes of weights" } ?? ""
        let head = "preflight \(report.verdict.rawValue) after \(seconds(report.seconds))\(bytes)"
        let troubles = report.troubles.map { "\($0.check.rawValue): \($0.message)" }
        let line = ([head] + troubles).joined(separator: "; ")
        return (troubles.isEmpty ? .info : .warning, String(line.prefix(2048)))
    }

    private static func download(_ download: ModelDownload) -> String {
        guard download.missingBytes > 0 else { return "model cache \(download.state.rawValue): nothing to download" }
        return "model cache \(download.state.rawValue): downloading \(download.missingBytes) of"
            + " \(download.totalBytes) bytes"
    }

    private static func caches(_ verdict: CacheVerdict) -> (OperatorLogLevel, String) {
        let names = verdict.differences.joined(separator: ", ")
        return switch verdict.outcome {
        case .used: (.notice, "carried caches were used: nothing was compiled anew")
        case .unproven: (.info, "carried caches: nothing was compiled anew, and nothing was told to be loaded")
        case .notUsed:
            (
                .warning,
                "carried caches were not used: \(verdict.compiledFiles) files were compiled anew; differs: "
                    + (names.isEmpty ? "vLLM tells no factor" : names)
            )
        case .absent where names.isEmpty: (.info, "carried caches: nobody has any for such a start")
        case .absent: (.info, "carried caches: the nearest start that has some differs in \(names)")
        case .refused, .failed, .late:
            (.warning, "carried caches were not used: \(verdict.reason ?? "nobody knows why")")
        }
    }

    private static func change(_ change: SettingChange) -> String {
        ", \(change.setting.rawValue) \(change.to) instead of \(change.from)"
    }

    private static func failed(_ report: FailureReport, _ exit: EngineExit?) -> String {
        var line = "failed: \(report.failure.rawValue): \(report.message)"
        if let exit { line += " (\(exit.words))" }
        return report.failure.remedy.isEmpty ? line : "\(line). \(report.failure.remedy)"
    }

    private static func seconds(_ value: Double) -> String {
        let hundredths = Int((value * 100).rounded())
        let rest = hundredths % 100
        return "\(hundredths / 100).\(rest < 10 ? "0" : "")\(rest) s"
    }
}
