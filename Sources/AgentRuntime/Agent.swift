internal import AgentCore
internal import AgentWire

/// The run loop: one machine, one stream of events, one task group that owns every lifetime.
///
/// `run` returning is the proof that no task, no engine and no descriptor is left.
package struct Agent: Sendable {
    let settings: AgentSettings
    let ports: AgentPorts
    let version: String
    let view: NodeView

    package init(settings: AgentSettings, ports: AgentPorts, version: String, view: NodeView) {
        self.settings = settings
        self.ports = ports
        self.version = version
        self.view = view
    }

    /// - Parameters:
    ///   - stopRequests: yields for every SIGTERM or SIGINT.
    ///   - standing: tasks of the same lifetime as the agent, such as the heartbeat server.
    package func run(
        stopRequests: some AsyncSequence<Void, Never> & Sendable, standing: [@Sendable () async -> Void]
    ) async {
        let (inbox, arrivals) = Inbox.make(clocks: ports.clocks)
        let outbox = Outbox(
            folder: "\(settings.stateFolder)/outbox", files: ports.files, controlPlane: eventsEndpoint, log: ports.log)
        view.watch(outbox)
        let notices = NoticeWatch(settings: settings, ports: ports, inbox: inbox)
        await withDiscardingTaskGroup { group in
            // First of all, so that the request is on the wire before anything else costs time.
            inbox.send(.agentStarted)
            let poller = AssignmentPoller(settings: settings, ports: ports, inbox: inbox, outbox: outbox)
            group.addTask { await poller.run() }
            await outbox.recover()
            let sender = EventSender(outbox: outbox, ports: ports, inbox: inbox)
            group.addTask { await sender.run() }
            notices.resume()
            group.addTask { await notices.run() }
            group.addTask { await notices.watchShutdown() }
            group.addTask { for await _ in stopRequests { inbox.send(.stopRequested) } }
            for task in standing { group.addTask { await task() } }

            let urgent = UrgentSender(outbox: outbox, ports: ports, sender: sender)
            var loop = RunLoop(agent: self, outbox: outbox, inbox: inbox, notices: notices, urgent: urgent)
            for await arrival in arrivals {
                loop.take(arrival, in: &group)
                if loop.isFinished { break }
            }
            group.cancelAll()
        }
        // A preparation that was overtaken by the end may have left its file.
        EnginePreparer(settings: settings, ports: ports).removeCredentials()
        await notices.store.settle()
        // The successor delivers what this agent could not.
        await outbox.storeAll()
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
