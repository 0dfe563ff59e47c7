/// One thing that was looked at before a start.
package struct PreflightFinding: Equatable, Sendable {
    package enum Level: String, Comparable, Sendable {
        case ok
        /// Worth knowing; the start goes on.
        case warn
        /// The start cannot work.
        case fatal

        package static func < (left: Level, right: Level) -> Bool { left.rank < right.rank }

        private var rank: Int {
            switch self {
            case .ok: 0
            case .warn: 1
            case .fatal: 2
            }
        }
    }

    package var check: PreflightCheck
    package var level: Level
    /// nil where all is well.
    package var failure: FailureClass?
    /// What was seen.
    package var message: String
    /// What to do; empty where nothing is to be done.
    package var remedy: String

    package static func ok(_ check: PreflightCheck, _ message: String) -> PreflightFinding {
        PreflightFinding(check: check, level: .ok, failure: nil, message: message, remedy: "")
    }

    package static func warn(
        _ check: PreflightCheck, _ failure: FailureClass?, _ message: String, remedy: String? = nil
    ) -> PreflightFinding {
        PreflightFinding(
            check: check, level: .warn, failure: failure, message: message, remedy: remedy ?? failure?.remedy ?? "")
    }

    package static func fatal(
        _ check: PreflightCheck, _ failure: FailureClass, _ message: String, remedy: String? = nil
    ) -> PreflightFinding {
        PreflightFinding(
            check: check, level: .fatal, failure: failure, message: message, remedy: remedy ?? failure.remedy)
    }
}

extension PreflightFinding {
    package static func cache(_ plan: DownloadPlan, evicting evicted: Int) -> PreflightFinding {
        let missing = StoreJudge.gigabytes(plan.missingBytes)
        let room = evicted > 0 ? "; \(evicted) other model\(evicted == 1 ? "" : "s") will make room" : ""
        let rest = plan.state == .warm ? "" : ", \(missing) of \(StoreJudge.gigabytes(plan.totalBytes)) to download"
        return .ok(.cache, "model cache \(plan.state.rawValue)\(rest)\(room)")
    }
}

/// The raw value is the word in reports.
package enum PreflightCheck: String, CaseIterable, Sendable {
    case endpoint
    case clock
    case credentials
    case bucket
    case model
    case weights
    case shards
    case sizes
    case strays
    case configuration
    case tokenizer
    case engine
    case streamer
    case arguments
    case descriptors
    case memory
    case disk
    case cache
    case port
    case gpu
    case link
}

package struct PreflightReport: Equatable, Sendable {
    /// In the order of the checks.
    package var findings: [PreflightFinding]
    /// All that the streamer will read, once; nil where that is not known.
    package var weightBytes: UInt64?
    /// What the network will bring for that: every rank that reads for itself counts.
    package var networkBytes: UInt64?
    package var seconds: Double

    package init(
        findings: [PreflightFinding], weightBytes: UInt64? = nil, networkBytes: UInt64? = nil, seconds: Double
    ) {
        self.networkBytes = networkBytes ?? weightBytes
        let order = PreflightCheck.allCases
        self.findings = findings.sorted {
            (order.firstIndex(of: $0.check) ?? 0, $0.message) < (order.firstIndex(of: $1.check) ?? 0, $1.message)
        }
        self.weightBytes = weightBytes
        self.seconds = seconds
    }

    package var verdict: PreflightFinding.Level { findings.map(\.level).max() ?? .ok }

    package var troubles: [PreflightFinding] { findings.filter { $0.level > .ok } }

    /// Why the start cannot work; nil where it may. What waiting cannot mend decides, so that a node does not try again
    /// for ever.
    package var failure: FailureReport? {
        let fatal = findings.filter { $0.level == .fatal }
        let final = fatal.first { $0.failure?.retryPolicy == .final }
        guard let decisive = final ?? fatal.first else { return nil }
        let others = fatal.filter { $0 != decisive }.map { "\($0.check.rawValue): \($0.message)" }
        return FailureReport(
            decisive.failure ?? .unknown, message: String(decisive.message.prefix(1024)), process: "agent",
            evidence: others.prefix(8).map { String($0.prefix(512)) })
    }

    /// For those who want to be told and not to be stopped.
    package var withoutVeto: PreflightReport {
        var report = self
        for index in report.findings.indices where report.findings[index].level == .fatal {
            report.findings[index].level = .warn
        }
        return report
    }
}

/// What a fatal finding does to a start (CROSSLOGIC_PREFLIGHT).
package enum PreflightMode: String, CaseIterable, Sendable {
    /// Ends the preparation with its class.
    case on
    /// Is told, and the engine is started all the same.
    case warn
    /// Nothing is looked at.
    case off
}
