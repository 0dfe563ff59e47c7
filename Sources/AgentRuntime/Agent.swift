internal import AgentCore
internal import AgentWire

/// The run loop: one machine, one stream of events, one task group that owns every lifetime.
///
/// `run` returning is the proof that no task, no engine and no descriptor is left.
package struct Agent: Sendable {
    /// What the agent can be asked from outside.
    package enum Request: Equatable, Sendable {
        /// SIGTERM or SIGINT: end for good, and the engine with it.
        case stop
        /// SIGUSR2: end, and leave the engine to the next agent.
        case restart
    }

    package enum Ending: Equatable, Sendable {
        case done
        /// The engine goes on.
        case handedOver
    }

    let settings: AgentSettings
    let ports: AgentPorts
    let version: String
    let view: NodeView
    /// How often the service manager wants to hear of the run loop; nil: not at all.
    let watchdog: Duration?

    package init(
        settings: AgentSettings, ports: AgentPorts, version: String, view: NodeView, watchdog: Duration? = nil
    ) {
        self.watchdog = watchdog
        self.settings = settings
        self.ports = ports
        self.version = version
        self.view = view
    }

    /// What lives as long as the run loop.
    private struct Parts: Sendable {
        let inbox: Inbox
        let handovers: HandoverFile
        let outbox: Outbox
        let sender: EventSender
        let notices: NoticeWatch
        let engine: EngineEffects
    }

    /// - Parameters:
    ///   - requests: what comes in as signals.
    ///   - standing: tasks of the same lifetime as the agent, such as the heartbeat server.
    /// - Returns: whether the engine ended with the agent.
    package func run(
        requests: some AsyncSequence<Request, Never> & Sendable, standing: [@Sendable () async -> Void]
    ) async -> Ending {
        let (inbox, arrivals) = Inbox.make(clocks: ports.clocks)
        let parts = makeParts(inbox)
        view.watch(parts.outbox)
        let ending = await withDiscardingTaskGroup(returning: Ending.self) { group in
            await begin(parts, in: &group)
            addTasks(parts, in: &group)
            group.addTask { for await request in requests { inbox.send(request.event) } }
            let ending = await loop(over: arrivals, parts, standing, in: &group)
            group.cancelAll()
            return ending
        }
        await settle(parts, ending)
        return ending
    }

    private func makeParts(_ inbox: Inbox) -> Parts {
        let handovers = HandoverFile(folder: settings.runtimeFolder, files: ports.files, log: ports.log)
        let outbox = Outbox(
            folder: "\(settings.stateFolder)/outbox", files: ports.files, controlPlane: eventsEndpoint, log: ports.log,
            handovers: handovers)
        return Parts(
            inbox: inbox, handovers: handovers, outbox: outbox,
            sender: EventSender(outbox: outbox, ports: ports, inbox: inbox),
            notices: NoticeWatch(settings: settings, ports: ports, inbox: inbox),
            engine: EngineEffects(settings: settings, ports: ports, outbox: outbox))
    }

    /// The tasks that stand beside the loop from the start to the end.
    private func addTasks(_ parts: Parts, in group: inout DiscardingTaskGroup) {
        group.addTask { await parts.sender.run() }
        parts.notices.resume()
        parts.inbox.settledIn()
        group.addTask { await parts.notices.run() }
        group.addTask { await parts.notices.watchShutdown() }
        group.addTask { await parts.engine.keepStandby() }
        if settings.pushesHeartbeat {
            let pusher = HeartbeatPusher(settings: settings, ports: ports, view: view) {
                parts.inbox.send(.controlPlaneHeard)
            }
            group.addTask { await pusher.run() }
        }
        group.addTask { await ConnectionKeeper(outbox: parts.outbox, ports: ports).run() }
    }

    private func loop(
        over arrivals: AsyncStream<Inbox.Arrival>, _ parts: Parts, _ standing: [@Sendable () async -> Void],
        in group: inout DiscardingTaskGroup
    ) async -> Ending {
        let urgent = UrgentSender(outbox: parts.outbox, ports: ports, sender: parts.sender)
        var loop = RunLoop(
            agent: self, outbox: parts.outbox, inbox: parts.inbox, engine: parts.engine, notices: parts.notices,
            urgent: urgent)
        loop.showLife(in: &group)
        var toStart = standing[...]
        for await arrival in arrivals {
            loop.take(arrival, in: &group)
            if loop.isFinished { break }
            // After the first event, so that whoever asks finds a node: a successor's is what it has taken over.
            while let task = toStart.popFirst() { group.addTask { await task() } }
        }
        return loop.ending
    }

    /// Once no task is left.
    private func settle(_ parts: Parts, _ ending: Ending) async {
        await ports.engineHost.unpark()
        // A preparation that was overtaken by the end may have left its file.
        let preparer = EnginePreparer(settings: settings, ports: ports)
        if ending == .done { EnginePlace.allCases.forEach(preparer.removeCredentials) }
        await parts.notices.store.settle()
        // The successor delivers what this agent could not.
        await parts.outbox.storeAll()
    }

    /// Asks for an assignment, and goes on with what an earlier agent left.
    private func begin(_ parts: Parts, in group: inout DiscardingTaskGroup) async {
        let poller = AssignmentPoller(
            settings: settings, ports: ports, inbox: parts.inbox, outbox: parts.outbox,
            wish: view.wish)
        guard let left = await parts.handovers.load() else {
            // First of all, so that the request is on the wire before anything else costs time.
            parts.inbox.send(.agentStarted)
            group.addTask { await poller.run() }
            await parts.outbox.recover()
            // An engine that nobody knows must not wait for an assignment to be found.
            group.addTask { await parts.engine.removeLeftovers() }
            return
        }
        await parts.outbox.recover()
        await takeOver(left, parts, in: &group)
        parts.inbox.send(.agentStarted)
        group.addTask { await poller.run() }
    }

    /// Goes on with the engine of an earlier agent, where it may.
    private func takeOver(
        _ left: (handover: Handover, log: LogStart), _ parts: Parts, in group: inout DiscardingTaskGroup
    ) async {
        guard let adoption = await parts.engine.adopt(left, pending: parts.outbox.events) else {
            await parts.engine.forgetHandover()
            group.addTask { await parts.engine.removeLeftovers() }
            return
        }
        let found = adoption.engine
        parts.inbox.send(.engineAdopted(adoption.handover, pid: found.pid, startedAt: found.startedAt))
        if let expected = adoption.expected {
            parts.inbox.send(.startExpected(generation: adoption.handover.assignment.generation, expected))
        }
        group.addTask { await parts.engine.follow(adoption, parts.inbox) }
    }

    /// Secrets of the node itself and of its assignments.
    func redaction(with assignments: [Assignment]) -> Redaction {
        let store = settings.assignmentDefaults.store
        let own = [settings.nodeToken, settings.heartbeatToken, store?.accessKeyID, store?.secretAccessKey]
        return Redaction(own.compactMap { $0 } + assignments.flatMap(\.secrets))
    }

    private var eventsEndpoint: EventTarget {
        EventTarget(
            url: "\(settings.controlPlaneURL)/api/v1/nodes/\(settings.nodeID)/events", bearer: settings.nodeToken)
    }
}

extension Agent.Request {
    fileprivate var event: NodeEvent {
        switch self {
        case .stop: .stopRequested
        case .restart: .restartRequested
        }
    }
}
