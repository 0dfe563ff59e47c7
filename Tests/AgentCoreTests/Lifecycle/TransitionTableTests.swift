internal import AgentCore
internal import AgentTestKit
internal import Foundation
internal import Testing

/// Every state with every event, rendered to a file that a reviewer reads as a diff.
@Suite struct TransitionTableTests {
    @Test("The whole table is as reviewed")
    func tableIsAsReviewed() throws {
        let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "transitions.txt")
        let table = Self.render()
        if ProcessInfo.processInfo.environment["CROSSLOGIC_WRITE_GOLDEN"] != nil {
            try table.write(to: file, atomically: true, encoding: .utf8)
        }
        let reviewed = try String(contentsOf: file, encoding: .utf8)
        #expect(table == reviewed, "run with CROSSLOGIC_WRITE_GOLDEN=1 and read the diff of transitions.txt")
    }

    private static let states: [(String, [NodeEvent])] = [
        ("waiting", MachineScript.booted), ("preparing", MachineScript.preparing),
        ("starting", MachineScript.starting), ("loading", MachineScript.loading),
        ("verifying", MachineScript.verifying), ("serving", MachineScript.serving),
        ("draining", MachineScript.draining),
        ("backoff", MachineScript.preparing + [.preparationFailed(generation: 1, retriable)]),
        ("failed", MachineScript.preparing + [.preparationFailed(generation: 1, final)]),
        ("succeeded", MachineScript.serving + [.assignmentReceived(.sample(generation: 8))]),
        ("refused", MachineScript.serving + refusal), ("partitioned", MachineScript.serving + partition),
        ("preempted", MachineScript.serving + preemptions.prefix(1)),
        ("leaving", MachineScript.leaving), ("finished", MachineScript.leaving + [.eventsDelivered]),
    ]

    /// All that is off by default is on.
    private static let settings: LifecycleSettings = {
        var settings = LifecycleSettings()
        settings.partitionStop = .seconds(1)
        return settings
    }()

    private static let refusal: [NodeEvent] = [
        .assignmentReceived(.sample(generation: 8)), .preparationFailed(generation: 8, final),
    ]

    private static let partition: [NodeEvent] = [
        .controlPlaneLost(reason: "refused"), .timerFired(.partition), .engineExited(.exited(code: 0)), .engineGone,
    ]

    private static let retriable = FailureReport(.engineDied, message: "died")
    private static let final = FailureReport(.badFlag, message: "--nope")

    private static let events: [NodeEvent] =
        [
            .assignmentReceived(.sample(generation: 9)), .assignmentRevoked, .prepared(generation: 1),
            .proved(generation: 8), .preparationFailed(generation: 8, retriable),
            .preparationFailed(generation: 8, final), .preparationFailed(generation: 1, retriable),
            .preparationAbandoned(generation: 1),
            .downloadBegan(
                generation: 1, ModelDownload(state: .cold, missingBytes: 1, totalBytes: 1)),
            .downloadMoved(generation: 1, bytes: 1), .cachesJudged(generation: 1, CacheVerdict(.used, key: "")),
            .engineAdopted(.sample(), pid: 100, startedAt: BootInstant(nanoseconds: 0)), .engineStarted(pid: 100),
            .engineStartFailed(EngineStartFailure(.engineMissing, "missing")),
            .engineProcessEnded(.named("VLLM::EngineCore", pid: 101)), .engineExited(.exited(code: 0)), .engineGone,
            .engineProcessesSeen([.named("VLLM::EngineCore", pid: 101)]),
            .engineMoved(EngineVitals(cpuTicks: [100: 9], diskBytes: 0, logBytes: 9)), .logFact(.startupComplete),
            .failureExplained(retriable), .healthAnswered(.refused), .healthAnswered(.healthy),
            .healthAnswered(.unhealthy(status: 503)), .healthAnswered(.silent),
            .healthAnswered(.stranger(PortListener(pid: 7, command: "nginx"))),
            .canaryAnswered(took: .milliseconds(1)), .canaryFailed(reason: "500"), .timerFired(.probe),
            .timerFired(.canary), .timerFired(.settle), .timerFired(.secondTerminate), .timerFired(.kill),
            .timerFired(.leftovers), .timerFired(.stuck), .timerFired(.keepAlive), .timerFired(.backoff),
            .timerFired(.delivery), .stopRequested, .restartRequested, .eventsDelivered,
            .readyAcknowledged, .controlPlaneLost(reason: "refused"), .controlPlaneFound, .controlPlaneHeard,
            .timerFired(.partition),
        ] + preemptions

    private static let preemptions: [NodeEvent] =
        [
            NoticeKind.terminate, .rebalance,
        ].map { kind in
            let sighting = Sighting(kind, origin: "end", deadline: BootInstant(nanoseconds: 30_000_000_000))
            return .preemption(.found(.listed(key: "end", [sighting]), source: "aws"))
        } + [
            .preemption(.counted(2, engineDrains: nil)), .timerFired(.preemption(.begin)),
            .timerFired(.preemption(.cut)), .timerFired(.preemption(.count)), .timerFired(.preemption(.lapse)),
        ]

    private static func render() -> String {
        var lines: [String] = []
        for (name, history) in states {
            lines.append("\(name)")
            for event in events {
                var script = MachineScript(history, settings: settings)
                let actions = script.on(event)
                lines.append("  \(short(event)) → \(script.state)  \(actions.map(short).joined(separator: ", "))")
            }
        }
        return lines.joined(separator: "\n") + "\n"
    }

    private static func short(_ event: NodeEvent) -> String {
        switch event {
        case .healthAnswered(let answer): "health \(head(answer))"
        case .timerFired(let timer): "timer \(short(timer))"
        case .preemption(.found(.listed(_, let sightings), _)): "notice \(sightings.map(\.kind.rawValue).joined())"
        case .preemption(let event): "preemption \(head(event))"
        default: head(event)
        }
    }

    private static func short(_ action: NodeAction) -> String {
        switch action {
        case .report(let report): "report(\(report.kind.rawValue))"
        case .arm(let timer, let delay): "arm(\(short(timer)), \(delay))"
        case .cancel(let timer): "cancel(\(short(timer)))"
        case .preempt(let action): "preempt(\(head(action)))"
        case .tell(let message): "tell(\(head(message)))"
        default: head(action)
        }
    }

    private static func short(_ timer: NodeTimer) -> String {
        switch timer {
        case .preemption(let timer): "preemption \(timer)"
        default: "\(timer)"
        }
    }

    private static func head(_ value: some Any) -> String {
        String(String(describing: value).prefix { $0 != "(" })
    }
}
