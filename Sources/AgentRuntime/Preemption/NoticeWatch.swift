internal import AgentCore
internal import AgentWire

/// Everything about notices that has a life: the pollers of this machine's cloud, logind, the file on disk.
struct NoticeWatch: Sendable {
    let store: NoticeStore
    private let settings: AgentSettings
    private let ports: AgentPorts
    private let inbox: Inbox
    private let approvals = NoticeApprovals()
    private let clouds = AsyncStream.makeStream(of: Cloud.self, bufferingPolicy: .bufferingNewest(1))

    init(settings: AgentSettings, ports: AgentPorts, inbox: Inbox) {
        self.settings = settings
        self.ports = ports
        self.inbox = inbox
        store = NoticeStore(settings: settings, ports: ports)
    }

    /// Before any source is asked: what was told to an agent before this one holds for this one.
    func resume() {
        settle(for: nil)
        guard let earlier = store.recover() else { return }
        inbox.send(.preemption(.resumed(earlier.notice, isOver: earlier.isOver)))
    }

    /// The assignment may know better than the machine what machine it is.
    func follow(_ assignment: Assignment) {
        settle(for: assignment)
    }

    private func settle(for assignment: Assignment?) {
        let place = CloudReader(settings: settings, files: ports.files).place(for: assignment)
        inbox.send(.preemption(.settled(place)))
        clouds.continuation.yield(place.cloud)
    }

    /// Asks the sources of the cloud that was settled on last, until the task is cancelled.
    func run() async {
        var changes = clouds.stream.makeAsyncIterator()
        var current = await changes.next()
        while let cloud = current {
            current = await withDiscardingTaskGroup { group in
                group.addTask { await poll(cloud) }
                var next = await changes.next()
                while next == cloud { next = await changes.next() }
                group.cancelAll()
                return next
            }
        }
    }

    private func poll(_ cloud: Cloud) async {
        let poller = MetadataPoller(http: ports.http, clocks: ports.clocks, inbox: inbox, approvals: approvals)
        await withDiscardingTaskGroup { group in
            for source in MetadataSources.all(for: cloud, granted: settings.grantedNotice) {
                group.addTask { await poller.run(source) }
            }
        }
    }

    func watchShutdown() async {
        guard let monitor = ports.shutdownMonitor else { return }
        let cloud = CloudReader(settings: settings, files: ports.files).place(for: nil).cloud
        await ShutdownSource(monitor: monitor, clocks: ports.clocks, inbox: inbox, softOff: cloud.softOff).run()
    }

    /// A cloud that waits for a word about this notice may go ahead.
    func approve(_ noticeID: String) {
        approvals.add(noticeID)
    }
}
