internal import AgentCore
internal import AgentWire

/// One node without a machine under it: the agent's own lifecycle, fed with what a world that goes well, or badly,
/// would make happen. Pure but for its random numbers.
struct SimulatedLife {
    /// What is to be handed back after a delay.
    struct Due {
        var seconds: Double
        var event: NodeEvent
        /// Of the life it was made for: what was due in an earlier one is void.
        var life: Int
    }

    let id: String
    private(set) var life = 0
    private var machine = NodeMachine()
    private var random: SplitMix
    private var sequence: UInt64 = 0
    private var beats: UInt64 = 0
    /// Rendered anew when the node's state changes: what is measured is the control plane.
    private var document: [UInt8]?

    init(id: String, seed: UInt64) {
        self.id = id
        random = SplitMix(seed: seed)
    }

    var isServing: Bool { machine.stateName == "serving" }

    /// Events to be sent, and what follows of itself.
    mutating func take(_ event: NodeEvent, at now: BootInstant, wallTime: Double) -> (events: [[UInt8]], due: [Due]) {
        let actions = machine.handle(event, at: now)
        if !actions.isEmpty { document = nil }
        var events: [[UInt8]] = []
        var due: [Due] = []
        for action in actions {
            if case .report(let report) = action {
                sequence += 1
                events.append(
                    EventCodec.render(
                        report, node: snapshot(at: now), id: identifier(), sequence: sequence, wallTime: wallTime))
            } else {
                due += consequences(of: action)
            }
        }
        return (events, due)
    }

    /// An engine that has served for an hour is found, as by an agent that was upgraded: nothing has to be started.
    mutating func adopts(_ assignment: Assignment, at now: BootInstant) -> NodeEvent {
        var timeline = Timeline()
        for (index, phase) in Phase.allCases.enumerated() where phase != .readyAcked {
            timeline.record(phase, at: now + .seconds(index - 3600), source: phase == .agentStarted ? .agent : .log)
        }
        return .engineAdopted(
            Handover(assignment: assignment, timeline: timeline, canaryTook: .milliseconds(30)), pid: 100,
            startedAt: now + .seconds(-3600))
    }

    /// As a spot VM that comes back under its old id: an empty disk, so it counts its events from one again.
    mutating func beginAnew() {
        life += 1
        machine = NodeMachine()
        sequence = 0
        document = nil
    }

    mutating func heartbeat(at now: BootInstant, wallTime: Double) -> [UInt8] {
        beats += 1
        if let document { return document }
        let document = SnapshotCodec.heartbeat(
            snapshot(at: now), outbox: OutboxFigures(), sequence: beats, wallTime: wallTime
        ).rendered()
        self.document = document
        return document
    }

    func engineDies() -> [Due] {
        [0: NodeEvent.engineExited(.signalled(signal: 9, coreDumped: false)), 0.1: .engineGone]
            .sorted { $0.key < $1.key }
            .map { Due(seconds: $0.key, event: $0.value, life: life) }
    }

    func isTakenAway(at now: BootInstant) -> [Due] {
        let notice = Sighting(.terminate, origin: "spot/instance-action", deadline: now + .seconds(30))
        let finding = SourceFinding.listed(key: "spot/instance-action", [notice])
        return [Due(seconds: 0, event: .preemption(.found(finding, source: "aws")), life: life)]
    }

    private func snapshot(at now: BootInstant) -> NodeSnapshot {
        machine.snapshot(
            nodeID: id, port: 8000,
            versions: NodeSnapshot.Versions(agent: "simulated", vllm: "0.32.0", streamer: "0.16.1"), at: now)
    }

    private mutating func identifier() -> String {
        let digits = String(random.next(), radix: 16) + String(random.next(), radix: 16)
        return String(("0" + digits).suffix(32))
    }
}

extension SimulatedLife {
    /// What the world does where the real agent's shell would do something.
    private mutating func consequences(of action: NodeAction) -> [Due] {
        switch action {
        case .prepare(let assignment):
            return after([(0.05, .prepared(generation: assignment.generation))])
        case .prove(let assignment):
            return after([(0.05, .proved(generation: assignment.generation))])
        case .startEngine: return after(start())
        case .explainFailure:
            let report = FailureReport(.engineDied, message: "simulated: killed", process: "EngineCore")
            return after([(0.01, .failureExplained(report))])
        case .terminateEngine: return after([(0.5, .engineExited(.exited(code: 0))), (0.6, .engineGone)])
        case .killEngine:
            return after([(0.05, .engineExited(.signalled(signal: 9, coreDumped: false))), (0.1, .engineGone)])
        case .arm(.backoff, let delay): return after([(delay.inSeconds, .timerFired(.backoff))])
        case .arm(.preemption(let timer), let delay):
            return after([(delay.inSeconds, .timerFired(.preemption(timer)))])
        case .preempt(.countRequests): return after([(0.01, .preemption(.counted(3, engineDrains: nil)))])
        default: return []
        }
    }

    private func after(_ events: [(Double, NodeEvent)]) -> [Due] {
        events.map { Due(seconds: $0.0, event: $0.1, life: life) }
    }

    /// The marks of a start, ten to twenty seconds of it.
    private mutating func start() -> [(Double, NodeEvent)] {
        let pace = 1 + random.fraction()
        var events: [(Double, NodeEvent)] = [
            (0.01, .engineStarted(pid: 100)), (1.5, .logFact(.version("0.32.0"))),
            (2.5, .logFact(.configResolved(architecture: "LlamaForCausalLM"))),
            (3, .logFact(.engineCoreInitialising(version: "0.32.0"))), (3.5, .logFact(.workerInitialising)),
            (4, .logFact(.modelLoadStarted)), (4.2, .logFact(.modelInitialised(seconds: 0.2))),
        ]
        for file in 1...8 {
            events.append(
                (4.2 + 0.4 * Double(file), .logFact(.weightsProgress(done: file, total: 8, unit: .files))))
        }
        events += [
            (7.5, .logFact(.modelLoaded(gib: 15, seconds: 3.3))), (7.6, .logFact(.compileStarted)),
            (8.4, .logFact(.compiled(seconds: 0.8))), (8.8, .logFact(.memoryProfiled(seconds: 0.4))),
            (9, .logFact(.graphCaptureStarted)), (9.6, .logFact(.graphCaptured(seconds: 0.6))),
            (9.7, .logFact(.engineInitialised(seconds: 2.2))), (9.8, .logFact(.startupComplete)),
            (9.81, .healthAnswered(.healthy)), (9.85, .canaryAnswered(took: .milliseconds(30))),
        ]
        return events.map { ($0.0 * pace, $0.1) }
    }
}

/// Steele, Lea, Flood: "Fast splittable pseudorandom number generators" (2014). Small enough for a hundred thousand.
struct SplitMix: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) {
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }

    /// Uniform in 0..<1.
    mutating func fraction() -> Double {
        Double(next() >> 11) / 9_007_199_254_740_992
    }
}
