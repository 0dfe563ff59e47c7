internal import AgentCore
internal import AgentWire

/// The state of a running agent, and the only switch that performs actions.
struct RunLoop {
    private let agent: Agent
    private let outbox: Outbox
    private let inbox: Inbox
    private let engine: EngineEffects
    private let notices: NoticeWatch
    private let urgent: UrgentSender
    private var machine: NodeMachine
    private var redaction: Redaction
    private var assignments: [Assignment] = []
    private var timers: [NodeTimer: UInt64] = [:]
    private var timersArmed: UInt64 = 0
    private var service = ServiceReport()
    /// The state in which a standby was last wished for.
    private var wished: String?
    /// Until then nothing is wished for: a notice that still holds may come behind the engine that goes on.
    private var isSettledIn = false
    private(set) var isFinished = false
    private(set) var ending = Agent.Ending.done

    init(
        agent: Agent, outbox: Outbox, inbox: Inbox, engine: EngineEffects, notices: NoticeWatch, urgent: UrgentSender
    ) {
        self.agent = agent
        self.engine = engine
        self.outbox = outbox
        self.inbox = inbox
        self.notices = notices
        self.urgent = urgent
        redaction = agent.redaction(with: [])
        var durations = LifecycleSettings()
        durations.drain = .seconds(agent.settings.drainSeconds)
        durations.stallAfter = .seconds(agent.settings.stallSeconds)
        durations.partitionStop = agent.settings.partitionStop
        machine = NodeMachine(settings: durations)
    }

    mutating func take(_ arrival: Inbox.Arrival, in group: inout DiscardingTaskGroup) {
        switch arrival.matter {
        case .event(.eventsDelivered):
            // "Empty" may have been said before the last event was added.
            if outbox.pending == 0 { handle(.eventsDelivered, at: arrival.at, in: &group) }
        case .event(let event):
            handle(event, at: arrival.at, in: &group)
        case .timer(let timer, let number):
            guard timers[timer] == number else { return }
            timers[timer] = nil
            handle(.timerFired(timer), at: arrival.at, in: &group)
        case .settledIn:
            isSettledIn = true
            wishStandby()
        case .watchdog:
            agent.ports.serviceManager.notify("WATCHDOG=1")
            showLife(in: &group)
        }
    }

    /// Through the inbox, so that the service manager hears of the run loop and not of a timer's thread.
    func showLife(in group: inout DiscardingTaskGroup) {
        guard let period = agent.watchdog else { return }
        let inbox = inbox
        group.addTask {
            // The manager allows one lost ping.
            if (try? await Task.sleep(for: period / 3)) != nil { inbox.watchdogDue() }
        }
    }

    /// The one gate: the state changes first, then everything that follows is performed.
    private mutating func handle(_ event: NodeEvent, at now: BootInstant, in group: inout DiscardingTaskGroup) {
        if case .assignmentReceived(let assignment) = event { know(assignment) }
        if case .logFact(let fact) = event { engine.caches.note(fact) }
        if case .engineAdopted(let handover, _, _) = event {
            know(handover.assignment)
            outbox.follow(handover.assignment)
        }
        let actions = machine.handle(event.redacted(by: redaction), at: now)
        let node = snapshot(at: now)
        agent.view.publish(node)
        service.tell(node, actions, agent)
        // Its own events come before it in the list, and are for its callback already.
        for action in actions { follow(action) }
        add(actions, node, in: &group)
        for action in actions { perform(action, node: node, in: &group) }
        wishStandby()
    }

    private mutating func wishStandby() {
        let wish = machine.standby
        // Where there is one place only, it is free once nothing is left of the engine before.
        let isEnding = if case .stopping = machine.state { true } else { false }
        let state = "\(wish) \(machine.state.name) \(isEnding)"
        guard isSettledIn, state != wished else { return }
        wished = state
        engine.standBy(wish)
    }

    /// The engine of the assignment before may still have something to say, however many come while it runs.
    private mutating func know(_ assignment: Assignment) {
        assignments = assignments.suffix(1) + [assignment]
        redaction = agent.redaction(with: assignments + [machine.assignment].compactMap { $0 })
        notices.follow(assignment)
    }

    private mutating func perform(
        _ action: NodeAction, node: NodeSnapshot, in group: inout DiscardingTaskGroup
    ) {
        let (engine, inbox) = (engine, inbox)
        switch action {
        case .prepare(let assignment): group.addTask { await engine.prepare(assignment, inbox) }
        case .prove(let assignment): group.addTask { await engine.prove(assignment, inbox) }
        case .renewCredentials(let assignment): group.addTask { await engine.renew(assignment) }
        case .abandonPreparation: engine.abandonPreparation()
        case .startEngine(let generation): group.addTask { await engine.run(generation, inbox) }
        case .probeHealth: group.addTask { await engine.probeHealth(inbox) }
        case .sendCanary(let model): group.addTask { inbox.send(await engine.probe.canary(model: model)) }
        case .terminateEngine: agent.ports.engineHost.terminateMain()
        case .killEngine: agent.ports.engineHost.killAll()
        case .explainFailure: engine.explainFailure()
        case .arm(let timer, let delay):
            if timer == .delivery { outbox.leave() }
            arm(timer, after: delay, in: &group)
        case .cancel(let timer): timers[timer] = nil
        // Told together, in `ServiceReport` and `add`.
        case .notifyReady, .notifyStopping, .extendStartTimeout, .report: break
        case .learn(let lesson, let key): group.addTask { await engine.loads.learn(lesson, for: key) }
        case .remember(let record):
            group.addTask { await engine.starts.learn(record) }
            group.addTask { await engine.settle(inbox) }
        case .preempt(let action): preempt(action, in: &group)
        case .tell(let message):
            let execution = agent.ports.engineHost.execution
            agent.ports.log.write(OperatorLogEntry(message, about: node, execution: execution))
        case .handOver:
            ending = .handedOver
            isFinished = true
        case .finish: isFinished = true
        }
    }

    private func follow(_ action: NodeAction) {
        switch action {
        case .prepare(let assignment), .renewCredentials(let assignment): outbox.follow(assignment)
        default: break
        }
    }

    private func snapshot(at now: BootInstant) -> NodeSnapshot {
        let install = engine.install
        let versions = NodeSnapshot.Versions(
            agent: agent.version, vllm: install?.vllm?.text, streamer: install?.streamer?.text)
        return machine.snapshot(
            nodeID: agent.settings.nodeID, port: agent.settings.enginePort, versions: versions, at: now)
    }

    private mutating func arm(_ timer: NodeTimer, after delay: Duration, in group: inout DiscardingTaskGroup) {
        timersArmed += 1
        let (number, inbox) = (timersArmed, inbox)
        timers[timer] = number
        group.addTask {
            guard (try? await Task.sleep(for: delay)) != nil else { return }
            inbox.timerEnded(timer, number: number)
        }
    }

    private func preempt(_ action: PreemptionAction, in group: inout DiscardingTaskGroup) {
        let (engine, inbox) = (engine, inbox)
        switch action {
        case .persist(let notice, let isOver): notices.store.persist(notice, isOver: isOver)
        case .forget: notices.store.forget()
        case .countRequests: group.addTask { inbox.send(await engine.countRequests()) }
        case .removeLeftovers: group.addTask { await engine.removeLeftovers() }
        case .approve(let noticeID): notices.approve(noticeID)
        case .release: agent.ports.shutdownMonitor?.release()
        case .hold: agent.ports.shutdownMonitor?.hold()
        }
    }

    /// All reports of one event at once, with the handover that goes with them.
    private func add(_ actions: [NodeAction], _ node: NodeSnapshot, in group: inout DiscardingTaskGroup) {
        let wallTime = agent.ports.clocks.wallTime()
        let drafts = actions.compactMap { action -> Outbox.Draft? in
            guard case .report(let report) = action else { return nil }
            let id = agent.ports.random.identifier()
            return Outbox.Draft(kind: report.kind, id: id, isUrgent: report.isUrgent) { sequence in
                EventCodec.render(report, node: node, id: id, sequence: sequence, wallTime: wallTime)
            }
        }
        let dropped = outbox.add(drafts, handover: machine.handover)
        if dropped > 0 { agent.ports.log.write(.warning, "the outbox is full: an event was dropped") }
        for draft in drafts where draft.isUrgent {
            guard let event = outbox.event(draft.id) else { continue }
            let urgent = urgent
            group.addTask { await urgent.send(event) }
        }
    }
}
