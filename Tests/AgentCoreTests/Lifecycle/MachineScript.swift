internal import AgentCore
internal import AgentTestKit

/// Drives a machine with events a second apart.
struct MachineScript {
    private(set) var machine: NodeMachine
    private(set) var now = BootInstant(nanoseconds: 0)

    init(_ events: [NodeEvent] = [], settings: LifecycleSettings = LifecycleSettings()) {
        machine = NodeMachine(settings: settings)
        for event in events { on(event) }
    }

    /// Nothing happens.
    mutating func pass(_ duration: Duration) { now = now + duration }

    @discardableResult
    mutating func on(_ event: NodeEvent) -> [NodeAction] {
        now = now + .seconds(1)
        return machine.handle(event, at: now)
    }

    /// When the next event will happen.
    var next: BootInstant { now + .seconds(1) }

    var state: String { machine.stateName }

    static let booted: [NodeEvent] = [.agentStarted]
    static let preparing = booted + [.assignmentReceived(.sample())]
    static let starting = preparing + [.prepared(generation: 1), .engineStarted(pid: 100)]
    static let loading = starting + [.logFact(.version("0.32.0"))]
    static let verifying = loading + [.logFact(.startupComplete), .healthAnswered(.healthy)]
    static let serving = verifying + [.canaryAnswered(took: .milliseconds(30))]
    static let draining = serving + [.stopRequested]
    static let leaving = draining + [.engineExited(.exited(code: 0)), .engineGone]
}

extension [NodeAction] {
    var reports: [ReportKind] {
        compactMap { if case .report(let report) = $0 { report.kind } else { nil } }
    }

    func arms(_ timer: NodeTimer) -> Duration? {
        for case .arm(timer, let delay) in self { return delay }
        return nil
    }

    var unexpected: String? {
        for case .tell(.unexpected(let event, _)) in self { return event }
        return nil
    }
}
