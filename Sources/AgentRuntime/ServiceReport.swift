internal import AgentCore

/// What the service manager has been told: READY, the status line, the error, and whether the model serves.
struct ServiceReport: Sendable {
    private var status = ""
    private var error: Int32 = 0
    private var isServing = false

    mutating func tell(_ node: NodeSnapshot, _ actions: [NodeAction], _ agent: Agent) {
        let manager = agent.ports.serviceManager
        let lines = lines(node, actions, agent.settings)
        if !lines.isEmpty { manager.notify(lines.joined(separator: "\n")) }
        guard node.isServing != isServing else { return }
        isServing = node.isServing
        manager.serving(isServing)
    }

    /// Seconds: what the drain may take, on a notice until its cut, and the rest of the way out.
    static func patience(_ node: NodeSnapshot, _ drainSeconds: Int) -> Int {
        let toCut = node.notice.map { ($0.plan.cut - node.takenAt).components.seconds } ?? 0
        return max(drainSeconds, Int(toCut)) + 60
    }

    private mutating func lines(
        _ node: NodeSnapshot, _ actions: [NodeAction], _ settings: AgentSettings
    ) -> [String] {
        var lines: [String] = []
        let isReady = settings.readiness == .agent ? actions.contains(.report(Report(.agentStarted))) : false
        if isReady || actions.contains(.notifyReady) { lines.append("READY=1") }
        if actions.contains(.notifyStopping) {
            lines += [
                "STOPPING=1", "EXTEND_TIMEOUT_USEC=\(Self.patience(node, settings.drainSeconds) * 1_000_000)",
            ]
        }
        if actions.contains(.extendStartTimeout) { lines.append("EXTEND_TIMEOUT_USEC=60000000") }
        if node.status != status {
            lines.append("STATUS=\(node.status)")
            status = node.status
        }
        let errno = node.failure?.failure.errno ?? 0
        if errno != error {
            lines.append("ERRNO=\(errno)")
            error = errno
        }
        return lines
    }
}

extension FailureClass {
    /// The nearest word of errno(3): `systemctl status` shows it as `Error:`.
    var errno: Int32 {
        switch self {
        case .credentialsMissing, .credentialsRejected: 13  // EACCES
        case .bucketMissing, .modelMissing, .engineMissing, .streamerMissing, .toolchainMissing: 2  // ENOENT
        case .endpointUnreachable: 113  // EHOSTUNREACH
        case .clockSkewed: 62  // ETIME
        case .endpointStalled, .stalled: 110  // ETIMEDOUT
        case .weightsUnreadable, .localStorage, .engineLog: 5  // EIO
        case .weightsFormat, .weightsIncomplete: 74  // EBADMSG
        case .badFlag, .badLoaderConfig, .badModelConfig: 22  // EINVAL
        case .memoryLimitTooSmall, .hostOutOfMemory, .gpuOutOfMemory, .kvCacheTooSmall: 12  // ENOMEM
        case .gpuBusy, .engineUnkillable: 16  // EBUSY
        case .driver: 19  // ENODEV
        case .nccl: 70  // ECOMM
        case .portInUse: 98  // EADDRINUSE
        case .engineDied: 10  // ECHILD
        case .canaryFailed, .unknown: 71  // EPROTO
        }
    }
}
