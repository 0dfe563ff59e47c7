package import AgentCore
internal import Dispatch
internal import Glibc
internal import Locking

/// The engine as a unit of systemd's, which outlives the agent, knows exactly how it ended and leaves nothing of it.
package final class SystemdEngineHost: EngineHost {
    private let clocks: any Clocks
    private let path: String
    private let executor = QueueExecutor(label: "io.crosslogic.engine-host")
    let door: EngineDoor
    private let exit: UnitExit
    private let looks: UnitLooks
    private let current = Mutex<UnitLife?>(nil)
    /// Invocation of the engine that waits.
    let waiting = Mutex<String?>(nil)
    private let seen = Mutex<[EngineProcess]>([])
    private let traffic = Mutex(TrafficCount())

    /// - Parameters:
    ///   - path: the socket of `crosslogic-enginectl`.
    ///   - clocks: stamps the events.
    package init(path: String = standardPath, clocks: any Clocks) {
        self.clocks = clocks
        self.path = path
        door = EngineDoor(path, on: executor)
        exit = UnitExit(path)
        looks = UnitLooks(path)
    }

    package static let standardPath = EngineDoor.standardPath

    /// systemd is PID 1 and our units are there.
    package static var isAvailable: Bool {
        FileKind(at: "/run/systemd/system") == .directory && FileKind(at: standardPath) == .socket
    }

    package func run(_ launch: EngineLaunch) -> AsyncStream<EngineHostEvent> {
        // The unit reads what the launch says from the files that its preparation has written.
        let (life, stream) = makeLife()
        exit.open()
        executor.queue.async {
            let waits = self.takeWaiting()
            life.assumeIsolated { $0.start(waits: waits) }
        }
        look()
        return stream
    }

    var isBusy: Bool { current.withLock { $0 != nil } }

    package func adopt(startedAfter limit: BootInstant) async -> AdoptedEngine? {
        await onQueue { self.adoptOnQueue(startedAfter: limit) }
    }

    private func adoptOnQueue(startedAfter limit: BootInstant) -> AdoptedEngine? {
        guard var status = status() else { return nil }
        if let go = GoRecord.load(), go.invocation == status.invocation { status.startedAt = go.at }
        guard status.startedAt >= limit else { return nil }
        guard status.isThere || ExitRecord.load()?.invocation == status.invocation else { return nil }
        let (life, stream) = makeLife()
        exit.open()
        life.assumeIsolated { $0.follow(status) }
        look()
        return AdoptedEngine(pid: status.mainPID, startedAt: status.startedAt, events: stream)
    }

    package var execution: String? { current.withLock { $0 }?.execution.withLock { $0 } }

    package func terminateMain() { order(.stop) }

    package func killAll() { order(.kill) }

    package func observe() -> [EngineProcess] {
        guard current.withLock({ $0 }) != nil else { return [] }
        look()
        return seen.withLock { $0 }
    }

    package func removeLeftovers() async -> [Int32] {
        let leftover = await onQueue { () -> Ending? in
            // While an engine of ours runs or waits, the unit is that one.
            guard !self.isBusy, self.waiting.withLock({ $0 }) == nil else { return nil }
            return self.endUnit()
        }
        guard let leftover else { return [] }
        for await _ in leftover.events {}
        return [leftover.pid]
    }

    struct Ending {
        var pid: Int32
        /// They hold it until it is gone.
        var life: UnitLife
        var events: AsyncStream<EngineHostEvent>
    }

    /// On the queue: kills whatever the unit is. nil where it is nothing.
    func endUnit() -> Ending? {
        guard let status = status(), status.isThere else { return nil }
        let (life, stream) = makeLife()
        life.assumeIsolated {
            $0.follow(status)
            $0.order(.kill)
        }
        return Ending(pid: status.mainPID ?? 0, life: life, events: stream)
    }

    private func makeLife() -> (UnitLife, AsyncStream<EngineHostEvent>) {
        // A few events in an engine's life, and one per process watched: the watches are bounded, and so is this.
        let (stream, events) = AsyncStream.makeStream(of: EngineHostEvent.self)
        let life = UnitLife(
            on: executor, clocks: clocks, door: door, events: events,
            over: { [weak self] in
                self?.current.withLock { $0 = nil }
                self?.seen.withLock { $0 = [] }
            })
        current.withLock { $0 = life }
        return (life, stream)
    }

    func status() -> UnitStatus? {
        guard case .success(let answer) = door.askHere(.status), answer.isDone else { return nil }
        return UnitStatus(answer.lines)
    }

    private func order(_ verb: EngineDoor.Verb) {
        guard let life = current.withLock({ $0 }) else { return }
        life.ordered.withLock { $0 = verb }
        exit.ask(verb) { [weak self] in self?.current.withLock { $0 === life } ?? false }
    }

    private var group: ControlGroup? { current.withLock { $0 }?.group.withLock { $0 } }

    private func look() {
        looks.look { [weak self] found in
            guard let self, let life = current.withLock({ $0 }), let group = life.group.withLock({ $0 }) else { return }
            seen.withLock { $0 = found.map(\.1) }
            let main = found.first?.1.pid
            let workers = found.filter { $0.1.pid != main && group.contains($0.1.pid) }
            executor.queue.async { life.assumeIsolated { $0.watch(workers) } }
        }
    }

    func onQueue<Result: Sendable>(_ work: @escaping @Sendable () -> Result) async -> Result {
        await withCheckedContinuation { continuation in
            executor.queue.async { continuation.resume(returning: work()) }
        }
    }
}

/// The engine listens where its cgroup says so; the pids are not asked for.
extension SystemdEngineHost: PortInspector {
    package func listeners(onTCPPort port: UInt16) -> [PortListener] {
        ProcPortInspector().listeners(onTCPPort: port)
    }

    package func listens(onTCPPort port: UInt16, anyOf pids: [Int32]) -> Bool {
        group?.listens(onTCPPort: port) ?? false
    }
}

/// The engine's connections are those of its cgroup.
extension SystemdEngineHost: TrafficMeter {
    package func traffic(of pids: [Int32], servingPort: UInt16) -> EngineTraffic? {
        guard let id = group?.id, let connections = TCPConnection.all() else { return nil }
        return traffic.withLock { $0.count(connections, servingPort: servingPort) { $0.cgroup == id } }
    }
}
