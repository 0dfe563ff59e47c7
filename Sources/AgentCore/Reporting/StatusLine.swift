/// The line `systemctl status` shows. Whole seconds and percents only, so that it changes when something does.
enum StatusLine {
    static func text(for node: NodeSnapshot) -> String {
        var line = subject(node)
        if let next = node.next { line += "; \(following(next))" }
        if let notice = node.notice { line += "; \(ending(notice))" }
        if let error = node.controlPlaneError {
            line += "; control plane: \(error)"
        } else if let error = node.deliveryError {
            line += "; events: \(error)"
        }
        if let error = node.storageError { line += "; degraded: \(error)" }
        if !node.rejectedFaults.isEmpty {
            line += "; last assignment rejected: \(node.rejectedFaults.map(\.description).joined(separator: ", "))"
        }
        // One line: what others wrote must not begin another assignment of sd_notify.
        return String(line.prefix(512).map { $0.isNewline ? " " : $0 })
    }

    private static func subject(_ node: NodeSnapshot) -> String {
        let model = node.model ?? "no model"
        switch node.state {
        case "waiting": return "waiting for an assignment"
        case "preparing":
            guard node.phase == .downloading, let progress = node.progress else { return "preparing \(model)" }
            return "preparing \(model): downloading\(weights(progress))"
        case "starting", "loading", "verifying": return starting(node, model: model)
        case "serving":
            let took = node.timings.execToReady.map { ", ready after \(seconds($0))" } ?? ""
            return node.isServing ? "serving \(model)\(took)" : "not answering: \(model)"
        case "draining": return "draining \(model)"
        case "stopped" where node.isPartitioned: return "stopped \(model) until the control plane answers again"
        case "failed":
            guard let failure = node.failure else { return "failed \(model)" }
            return "failed \(model): \(failure.failure.rawValue): \(failure.message)"
        default: return node.state
        }
    }

    private static func following(_ next: NodeSnapshot.Next) -> String {
        let name = "assignment \(next.generation) (\(next.model))"
        switch next.standing {
        case .proving:
            guard let progress = next.progress else { return "preparing \(name)" }
            return "preparing \(name): downloading\(weights(progress))"
        case .waiting(let report): return "\(name) fails, tried again: \(report.failure.rawValue)"
        case .refused(let report): return "\(name) refused: \(report.failure.rawValue): \(report.message)"
        }
    }

    /// Without a count of seconds: the line would change with every look.
    private static func ending(_ preemption: Preemption) -> String {
        let notice = preemption.notice
        return "\(notice.kind.rawValue) announced by \(notice.source) for \(Int(notice.deadline.seconds)) s after boot"
    }

    private static func starting(_ node: NodeSnapshot, model: String) -> String {
        var line = "\(node.state) \(model)"
        if let phase = node.phase { line += ": \(phase.rawValue)" }
        if let progress = node.progress, node.phase == .weightsStream { line += weights(progress) }
        if let estimate = node.estimate {
            let left = "about \(Int(estimate.seconds.rounded(.up))) s left"
            line += estimate.isLate ? ", slower than before, then \(left)" : ", \(left)"
        }
        return line
    }

    private static func weights(_ progress: LoadProgress) -> String {
        var text = progress.fraction.map { " \(Int($0 * 100)) %" } ?? ""
        let rate = progress.rate.map { ", \(size($0))/s" } ?? ""
        if let bytes = progress.bytes, let total = progress.totalBytes {
            text += " (\(size(Double(bytes))) of \(size(total))\(rate))"
        } else if let count = progress.count {
            text += " (\(count.done)/\(count.total)\(count.unit.map { " \($0.rawValue)" } ?? ""))"
        }
        return text
    }

    /// In decimal units, as links and stores count.
    private static func size(_ bytes: Double) -> String {
        let megabytes = Int(bytes / 1e6)
        return megabytes < 1000 ? "\(megabytes) MB" : "\(megabytes / 1000).\(megabytes % 1000 / 100) GB"
    }

    private static func seconds(_ value: Double) -> String {
        let tenths = Int((value * 10).rounded())
        return "\(tenths / 10).\(tenths % 10) s"
    }
}
