package import AgentCore

/// The node's state as the JSON of heartbeat, timeline and events.
package enum SnapshotCodec {
    package static func heartbeat(
        _ node: NodeSnapshot, outbox: OutboxFigures, sequence: UInt64, wallTime: Double
    ) -> JSONValue {
        var fields = common(node)
        fields["schema"] = .integer(1)
        fields["status"] = .string(node.status)
        fields["progress"] = progress(node.progress)
        fields["next"] = next(node.next)
        fields["eta"] = estimate(node)
        fields["failure"] = failure(node.failure, exit: node.failureExit) ?? .null
        fields["preflight"] = node.preflight.map(preflight) ?? .null
        fields["download"] = node.download.map(download) ?? .null
        fields["caches"] = node.caches.map(caches) ?? .null
        fields["engine"] = engine(node) ?? .null
        fields["faults"] = faults(node.rejectedFaults)
        fields["control_plane"] = .object([
            "reachable": .bool(node.controlPlaneError == nil),
            "error": node.controlPlaneError.map(JSONValue.string) ?? .null,
            "stopped": .bool(node.isPartitioned),
        ])
        fields["outbox"] = outbox.rendered(error: node.deliveryError)
        fields["degraded"] = .array(node.storageError.map { [.string($0)] } ?? [])
        fields["versions"] = versions(node.versions)
        fields["notice"] = notice(node, wallTime: wallTime)
        fields["notice_sources"] = .array(node.noticeSources.map(NoticeCodec.described))
        fields["place"] = .object(NoticeCodec.fields(node.place))
        fields["time"] = .string(WallClock.rfc3339(wallTime))
        fields["sequence"] = .integer(Int64(sequence))
        return .object(fields)
    }

    package static func timelineDocument(_ node: NodeSnapshot) -> JSONValue {
        .object([
            "node_id": .string(node.nodeID), "generation": optional(node.generation.map(JSONValue.integer)),
            "timeline": timeline(node.timeline), "timings": timings(node.timings),
            "phases": SpanCodec.phases(node.account), "unattributed_s": .number(node.account.unattributed),
        ])
    }

    /// What every document says about the node.
    static func common(_ node: NodeSnapshot) -> [String: JSONValue] {
        [
            "node_id": .string(node.nodeID),
            "generation": optional(node.generation.map(JSONValue.integer)),
            "state": .string(node.state),
            "phase": optional((node.phase?.rawValue).map(JSONValue.string)),
            "model": optional(node.model.map(JSONValue.string)),
            "timeline": timeline(node.timeline),
            "phases": SpanCodec.phases(node.account),
            "unattributed_s": .number(node.account.unattributed),
            "timings": timings(node.timings),
            "monotonic_ns": .integer(node.takenAt.nanoseconds),
        ]
    }

    static func engine(_ node: NodeSnapshot) -> JSONValue? {
        guard let engine = node.engine else { return nil }
        return .object([
            "pid": optional(engine.pid.map { .integer(Int64($0)) }), "port": .integer(Int64(engine.port)),
            "restarts": .integer(Int64(engine.restarts)),
            "vllm_version": optional(node.versions.vllm.map(JSONValue.string)),
            "streamer_version": optional(node.versions.streamer.map(JSONValue.string)),
        ])
    }

    static func failure(_ report: FailureReport?, exit: EngineExit?) -> JSONValue? {
        guard let report else { return nil }
        var fields: [String: JSONValue] = [
            "class": .string(report.failure.rawValue), "message": .string(report.message),
            "process": optional(report.process.map(JSONValue.string)),
            "evidence": .array(report.evidence.map(JSONValue.string)),
            "retry": .string(report.failure.retryPolicy.rawValue), "remedy": .string(report.failure.remedy),
        ]
        switch exit {
        case .exited(let code): fields["exit_code"] = .integer(Int64(code))
        case .signalled(let signal, _): fields["signal"] = .integer(Int64(signal))
        case nil: break
        }
        return .object(fields)
    }

    static func faults(_ faults: [FieldFault]) -> JSONValue {
        .array(faults.map { .object(["field": .string($0.field), "problem": .string($0.problem)]) })
    }

    private static func notice(_ node: NodeSnapshot, wallTime: Double) -> JSONValue {
        guard let preemption = node.notice else { return .null }
        return NoticeCodec.described(
            preemption.notice, cut: preemption.plan.cut, at: node.takenAt, wallTime: wallTime)
    }

    private static func next(_ next: NodeSnapshot.Next?) -> JSONValue {
        guard let next else { return .null }
        let (standing, report) =
            switch next.standing {
            case .proving: ("preparing", FailureReport?.none)
            case .waiting(let report): ("retrying", report)
            case .refused(let report): ("refused", report)
            }
        return .object([
            "generation": .integer(next.generation), "model": .string(next.model), "state": .string(standing),
            "failure": failure(report, exit: nil) ?? .null, "preflight": next.preflight.map(preflight) ?? .null,
            "download": next.download.map(download) ?? .null, "progress": progress(next.progress),
        ])
    }

    private static func progress(_ progress: LoadProgress?) -> JSONValue {
        guard let progress else { return .null }
        return .object([
            "done": optional((progress.count?.done).map { .integer(Int64($0)) }),
            "total": optional((progress.count?.total).map { .integer(Int64($0)) }),
            "unit": optional((progress.count?.unit?.rawValue).map(JSONValue.string)),
            "fraction": optional(progress.fraction.map(JSONValue.number)),
            "bytes": optional(progress.bytes.map { .integer(Int64(clamping: $0)) }),
            "total_bytes": optional(progress.totalBytes.map { .integer(Int64($0)) }),
            "bytes_per_second": optional(progress.rate.map(JSONValue.number)),
            "seconds_left": optional(progress.secondsLeft.map(JSONValue.number)),
        ])
    }

    private static func estimate(_ node: NodeSnapshot) -> JSONValue {
        guard let estimate = node.estimate else { return .null }
        return .object([
            "seconds": .number(estimate.seconds), "starts": .integer(Int64(estimate.starts)),
            "late": .bool(estimate.isLate),
        ])
    }

    private static func timeline(_ timeline: Timeline) -> JSONValue {
        .array(
            timeline.marks.map {
                .object([
                    "phase": .string($0.phase.rawValue), "at_s": .number($0.at.seconds),
                    "source": .string($0.source.rawValue),
                ])
            })
    }

    private static func timings(_ timings: Timings) -> JSONValue {
        let all: [(String, Double?)] = [
            ("assignment_to_exec_s", timings.assignmentToExec), ("exec_to_health_s", timings.execToHealth),
            ("canary_s", timings.canary), ("health_to_ready_s", timings.healthToReady),
            ("exec_to_ready_s", timings.execToReady), ("assignment_to_ready_s", timings.assignmentToReady),
        ]
        var fields: [String: JSONValue] = [:]
        for (name, seconds) in all { fields[name] = seconds.map(JSONValue.number) }
        return .object(fields)
    }

    private static func versions(_ versions: NodeSnapshot.Versions) -> JSONValue {
        .object([
            "agent": .string(versions.agent), "vllm": optional(versions.vllm.map(JSONValue.string)),
            "streamer": optional(versions.streamer.map(JSONValue.string)),
        ])
    }

    private static func optional(_ value: JSONValue?) -> JSONValue { value ?? .null }
}
