package import AgentCore

extension SnapshotCodec {
    /// As in the heartbeat, in events, and as `crosslogic-node-agent preflight --json` prints it.
    package static func preflight(_ report: PreflightReport) -> JSONValue {
        .object([
            "verdict": .string(report.verdict.rawValue), "seconds": .number(report.seconds),
            "weight_bytes": report.weightBytes.map { .integer(Int64(clamping: $0)) } ?? .null,
            "findings": .array(report.findings.map(finding)),
        ])
    }

    static func download(_ download: ModelDownload) -> JSONValue {
        .object([
            "cache": .string(download.state.rawValue), "bytes": .integer(Int64(clamping: download.missingBytes)),
            "total_bytes": .integer(Int64(clamping: download.totalBytes)),
        ])
    }

    static func caches(_ verdict: CacheVerdict) -> JSONValue {
        .object([
            "outcome": .string(verdict.outcome.rawValue), "key": .string(verdict.key),
            "files": .integer(Int64(verdict.files)), "bytes": .integer(Int64(clamping: verdict.bytes)),
            "compiled_files": .integer(Int64(verdict.compiledFiles)),
            "differences": .array(verdict.differences.map(JSONValue.string)),
            "reason": verdict.reason.map(JSONValue.string) ?? .null,
        ])
    }

    private static func finding(_ finding: PreflightFinding) -> JSONValue {
        .object([
            "check": .string(finding.check.rawValue), "level": .string(finding.level.rawValue),
            "class": finding.failure.map { .string($0.rawValue) } ?? .null, "message": .string(finding.message),
            "remedy": finding.remedy.isEmpty ? .null : .string(finding.remedy),
        ])
    }
}
