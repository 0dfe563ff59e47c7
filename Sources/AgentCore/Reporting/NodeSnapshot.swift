/// Everything heartbeat, events and status line may say, taken at one point in time.
package struct NodeSnapshot: Equatable, Sendable {
    package struct Engine: Equatable, Sendable {
        package var pid: Int32?
        package var port: UInt16
        package var restarts: Int
    }

    package struct Versions: Equatable, Sendable {
        package var agent: String
        package var vllm: String?
        package var streamer: String?

        package init(agent: String, vllm: String? = nil, streamer: String? = nil) {
            self.agent = agent
            self.vllm = vllm
            self.streamer = streamer
        }
    }

    /// The assignment that is to follow, or is refused, without its secrets.
    package struct Next: Equatable, Sendable {
        package var generation: Int64
        package var model: String
        package var standing: Successor.Standing
        package var preflight: PreflightReport?
        package var download: ModelDownload?
        package var progress: LoadProgress?
    }

    package var nodeID: String
    package var generation: Int64?
    package var state: String
    package var phase: Phase?
    package var model: String?
    package var progress: LoadProgress?
    /// nil while nothing is known of such starts, and when none is running.
    package var estimate: Estimate?
    package var timeline: Timeline
    package var account: StartAccount
    package var timings: Timings
    package var engine: Engine?
    package var failure: FailureReport?
    package var failureExit: EngineExit?
    package var preflight: PreflightReport?
    package var download: ModelDownload?
    package var caches: CacheVerdict?
    /// How the weights of this start came, as far as they have; nil before.
    package var load: LoadSummary?
    package var rejectedFaults: [FieldFault]
    package var next: Next?
    package var controlPlaneError: String?
    /// The node has stopped itself because of that.
    package var isPartitioned = false
    package var versions: Versions
    package var isServing: Bool
    package var takenAt: BootInstant
    package var notice: Preemption?
    package var noticeSources: [SourceHealth] = []
    package var place = CloudPlace(.generic)
    package var storageError: String?
    package var deliveryError: String?

    /// One line a human can read.
    package var status: String { StatusLine.text(for: self) }
}

/// The intervals people ask for, in seconds; nil where an end was not reached.
package struct Timings: Equatable, Sendable {
    package var assignmentToExec: Double?
    package var execToHealth: Double?
    package var canary: Double?
    /// Includes the canary.
    package var healthToReady: Double?
    package var execToReady: Double?
    package var assignmentToReady: Double?
}

extension NodeMachine {
    package func snapshot(
        nodeID: String, port: UInt16, versions: NodeSnapshot.Versions, at now: BootInstant
    ) -> NodeSnapshot {
        var isServing = false
        var engine: NodeSnapshot.Engine?
        if case .running(let run) = state {
            isServing = run.stage == .serving && run.missedProbes < settings.missesUntilNotReady && !isHeld
            engine = NodeSnapshot.Engine(pid: run.pid, port: port, restarts: restarts.restarts)
        }
        return NodeSnapshot(
            nodeID: nodeID, generation: generation > 0 ? generation : nil, state: stateName,
            phase: timeline.marks.last?.phase, model: assignment?.model, progress: progress,
            estimate: estimate(at: now), timeline: timeline, account: account(at: now),
            timings: timings, engine: engine, failure: failure, failureExit: failureExit,
            preflight: preflight, download: download, caches: caches, load: load,
            rejectedFaults: rejectedFaults, next: next, controlPlaneError: controlPlaneError,
            isPartitioned: partition != nil, versions: versions, isServing: isServing, takenAt: now,
            notice: preemption, noticeSources: notices.sources, place: notices.place, storageError: storageError,
            deliveryError: deliveryError)
    }

    private var next: NodeSnapshot.Next? {
        successor.map {
            NodeSnapshot.Next(
                generation: $0.assignment.generation, model: $0.assignment.model, standing: $0.standing,
                preflight: $0.preflight, download: $0.download, progress: $0.progress)
        }
    }

    /// On a notice the node drains, and then there is nothing left of it to be had.
    package var stateName: String {
        switch state {
        case .running where isHeld: "draining"
        case .waiting where isHeld, .preparing where isHeld, .backoff where isHeld: "stopped"
        default: state.name
        }
    }

    private var timings: Timings {
        func untilReady(_ start: Phase) -> Double? {
            guard let readyAt, let start = timeline[start] else { return nil }
            return (readyAt - start).inSeconds
        }
        return Timings(
            assignmentToExec: timeline.seconds(from: .assignmentReceived, to: .engineExec),
            execToHealth: timeline.seconds(from: .engineExec, to: .healthOK),
            canary: canaryTook?.inSeconds, healthToReady: untilReady(.healthOK),
            execToReady: untilReady(.engineExec), assignmentToReady: untilReady(.assignmentReceived))
    }
}
