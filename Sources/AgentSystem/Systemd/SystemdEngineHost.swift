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
    let parkingExecutor = QueueExecutor(label: "io.crosslogic.engine-parking")
    let parkingDoor: EngineDoor
    let exit: UnitExit
    private let looks: UnitLooks
    private let manager = SystemdManager()
    private let current = Mutex<UnitLife?>(nil)
    let waiting = Mutex<Waiting?>(nil)
    /// Where one is being started that will wait.
    let parking = Mutex<EnginePlace?>(nil)
    private let seen = Mutex<[EngineProcess]>([])
    private let traffic = Mutex(TrafficCount())

    /// - Parameters:
    ///   - path: the socket of `crosslogic-enginectl`.
    ///   - clocks: stamps the events.
    package init(path: String = standardPath, clocks: any Clocks) {
        self.clocks = clocks
        self.path = path
        door = EngineDoor(path, on: executor)
        parkingDoor = EngineDoor(path, on: parkingExecutor)
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
        let (life, stream) = makeLife(at: launch.place)
        current.withLock { $0 = life }
        exit.open()
        if launch.go != nil { openParkingDoor() }
        executor.queue.async {
            let waits = self.takeWaiting()?.place == launch.place
            life.assumeIsolated { $0.start(waits: waits) }
        }
        look()
        return stream
    }

    private var isBusy: Bool { placeOfCurrent != nil }
    var placeOfCurrent: EnginePlace? { current.withLock { $0 }?.place }

    package func adopt(startedAfter limit: BootInstant) async -> AdoptedEngine? {
        await onQueue { self.adoptOnQueue(startedAfter: limit) }
    }

    private func adoptOnQueue(startedAfter limit: BootInstant) -> AdoptedEngine? {
        guard let (place, status) = engineOfRecord(), status.startedAt >= limit,
            status.isThere || status.exit != nil || ExitRecord.load(place)?.invocation == status.invocation
        else { return nil }
        let (life, stream) = makeLife(at: place)
        current.withLock { $0 = life }
        exit.open()
        life.assumeIsolated { $0.follow(status) }
        // One that waited for that agent; whether one is still wanted is for this agent's settings to say.
        _ = endUnit(at: place.other)
        look()
        var engine = AdoptedEngine(pid: status.mainPID, startedAt: status.startedAt, events: stream)
        engine.place = place
        return engine
    }

    /// The other unit may hold one that only waits.
    private func engineOfRecord() -> (EnginePlace, UnitStatus)? {
        guard let record = ExecutionRecord.load() else { return nil }
        for place in EnginePlace.allCases {
            guard var status = status(place), let start = record.start(of: status, at: place) else { continue }
            status.startedAt = start
            return (place, status)
        }
        return nil
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
        let leftovers = await onQueue { () -> [Ending] in
            // While an engine of ours runs or waits, the units are those.
            guard !self.isBusy, self.waiting.withLock({ $0 }) == nil else { return [] }
            return EnginePlace.allCases.compactMap { self.endUnit(at: $0) }
        }
        for leftover in leftovers { for await _ in leftover.events {} }
        return leftovers.map(\.pid)
    }

    struct Waiting: Equatable {
        var place: EnginePlace
        var invocation: String
    }

    struct Ending {
        var pid: Int32
        /// Held until it is gone.
        var life: UnitLife
        var events: AsyncStream<EngineHostEvent>
    }

    /// On the queue: kills whatever the unit is. nil where it is nothing.
    func endUnit(at place: EnginePlace) -> Ending? {
        guard let status = status(place), status.isThere else { return nil }
        let (life, stream) = makeLife(at: place)
        life.assumeIsolated {
            $0.follow(status)
            $0.order(.kill)
        }
        return Ending(pid: status.mainPID ?? 0, life: life, events: stream)
    }

    private func makeLife(at place: EnginePlace) -> (UnitLife, AsyncStream<EngineHostEvent>) {
        // A few events in an engine's life, and one per process watched: the watches are bounded, and so is this.
        let (stream, events) = AsyncStream.makeStream(of: EngineHostEvent.self)
        let life = UnitLife(
            on: executor, clocks: clocks, door: door, manager: manager, place: place, events: events,
            over: { [weak self] life in self?.forget(life) })
        return (life, stream)
    }

    private func forget(_ life: UnitLife) {
        let wasCurrent = current.withLock { current in
            guard current === life else { return false }
            current = nil
            return true
        }
        if wasCurrent { seen.withLock { $0 = [] } }
    }

    func status(_ place: EnginePlace) -> UnitStatus? {
        guard case .success(let answer) = door.askHere(.status, place), answer.isDone else { return nil }
        return UnitStatus(answer.lines)
    }

    private func order(_ verb: EngineDoor.UnitVerb) {
        guard let life = current.withLock({ $0 }) else { return }
        life.ordered.withLock { $0 = verb }
        exit.ask(verb, life.place) { [weak self] in self?.current.withLock { $0 === life } ?? false }
    }

    private var group: ControlGroup? { current.withLock { $0 }?.group.withLock { $0 } }

    private func look() {
        guard let place = current.withLock({ $0 })?.place else { return }
        looks.look(at: place) { [weak self] found in
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
        // One that waited may listen before systemd has told its cgroup: nobody could say then that it is no stranger.
        if let life = current.withLock({ $0 }), life.group.withLock({ $0 == nil }) { return [] }
        return ProcPortInspector().listeners(onTCPPort: port)
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
