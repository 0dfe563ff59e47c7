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

    /// - Parameters:
    ///   - requests: what comes in as signals.
    ///   - standing: tasks of the same lifetime as the agent, such as the heartbeat server.
    /// - Returns: whether the engine ended with the agent.
    package func run(
        requests: some AsyncSequence<Request, Never> & Sendable, standing: [@Sendable () async -> Void]
    ) async -> Ending {
        let (inbox, arrivals) = Inbox.make(clocks: ports.clocks)
        let handovers = HandoverFile(folder: settings.runtimeFolder, files: ports.files, log: ports.log)
        let outbox = Outbox(
            folder: "\(settings.stateFolder)/outbox", files: ports.files, controlPlane: eventsEndpoint, log: ports.log,
            handovers: handovers)
        view.watch(outbox)
        let notices = NoticeWatch(settings: settings, ports: ports, inbox: inbox)
        let engine = EngineEffects(settings: settings, ports: ports, outbox: outbox)
        let ending = await withDiscardingTaskGroup(returning: Ending.self) { group in
            await begin(after: handovers, engine, outbox, inbox, in: &group)
            let sender = EventSender(outbox: outbox, ports: ports, inbox: inbox)
            group.addTask { await sender.run() }
            notices.resume()
            group.addTask { await notices.run() }
            group.addTask { await notices.watchShutdown() }
            group.addTask { await engine.keepStandby() }
            if settings.pushesHeartbeat {
                group.addTask { await HeartbeatPusher(settings: settings, ports: ports, view: view).run() }
            }
            group.addTask { await ConnectionKeeper(outbox: outbox, ports: ports).run() }
            group.addTask { for await request in requests { inbox.send(request.event) } }

            let urgent = UrgentSender(outbox: outbox, ports: ports, sender: sender)
            var loop = RunLoop(
                agent: self, outbox: outbox, inbox: inbox, engine: engine, notices: notices, urgent: urgent)
            loop.showLife(in: &group)
            var toStart = standing[...]
            for await arrival in arrivals {
                loop.take(arrival, in: &group)
                if loop.isFinished { break }
                // After the first event, so that whoever asks finds a node: a successor's is what it has taken over.
                while let task = toStart.popFirst() { group.addTask { await task() } }
            }
            group.cancelAll()
            return loop.ending
        }
        await ports.engineHost.unpark()
        // A preparation that was overtaken by the end may have left its file.
        let preparer = EnginePreparer(settings: settings, ports: ports)
        if ending == .done { EnginePlace.allCases.forEach(preparer.removeCredentials) }
        await notices.store.settle()
        // The successor delivers what this agent could not.
        await outbox.storeAll()
        return ending
    }

    /// Asks for an assignment, and goes on with what an earlier agent left.
    private func begin(
        after handovers: HandoverFile, _ engine: EngineEffects, _ outbox: Outbox, _ inbox: Inbox,
        in group: inout DiscardingTaskGroup
    ) async {
        let poller = AssignmentPoller(settings: settings, ports: ports, inbox: inbox, outbox: outbox)
        guard let left = await handovers.load() else {
            // First of all, so that the request is on the wire before anything else costs time.
            inbox.send(.agentStarted)
            group.addTask { await poller.run() }
            await outbox.recover()
            // An engine that nobody knows must not wait for an assignment to be found.
            group.addTask { await engine.removeLeftovers() }
            return
        }
        await outbox.recover()
        await takeOver(left, engine, outbox, inbox, in: &group)
        inbox.send(.agentStarted)
        group.addTask { await poller.run() }
    }

    /// Goes on with the engine of an earlier agent, where it may.
    private func takeOver(
        _ left: (handover: Handover, log: LogStart), _ engine: EngineEffects, _ outbox: Outbox, _ inbox: Inbox,
        in group: inout DiscardingTaskGroup
    ) async {
        guard let adoption = await engine.adopt(left, pending: outbox.events) else {
            await engine.forgetHandover()
            group.addTask { await engine.removeLeftovers() }
            return
        }
        let found = adoption.engine
        inbox.send(.engineAdopted(adoption.handover, pid: found.pid, startedAt: found.startedAt))
        if let expected = adoption.expected {
            inbox.send(.startExpected(generation: adoption.handover.assignment.generation, expected))
        }
        group.addTask { await engine.follow(adoption, inbox) }
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
