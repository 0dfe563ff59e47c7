package import AgentCore
internal import CLinux
internal import Dispatch
internal import Glibc
internal import Locking

/// The engine as a child of the agent, for machines where systemd is not the service manager.
///
/// The child leads a session of its own and gets nothing from the agent but its environment and its log. One host
/// per process: orphans that come to the agent are taken for the engine's.
package final class ChildEngineHost: EngineHost {
    private let clocks: any Clocks
    let record: EngineRecordFile
    let standbyRecord: EngineRecordFile
    let sockets: EngineSocketFolder
    let executor = QueueExecutor(label: "io.crosslogic.engine-host")
    let engines = Mutex(HostedEngines())
    private let titles = Mutex(ProcessTitles())
    private let pageSize = UInt64(sysconf(Int32(_SC_PAGESIZE)))

    /// - Parameters:
    ///   - record: where the started engine is noted for a later agent; on a file system that outlives the agent.
    ///   - sockets: the folder that the engine is told to put its sockets into; what is left there of one that is gone is
    ///     removed.
    ///   - clocks: stamps the events.
    package init(record: String, sockets: String? = nil, clocks: any Clocks) {
        self.record = EngineRecordFile(path: record)
        standbyRecord = EngineRecordFile(path: "\(record).standby")
        self.sockets = EngineSocketFolder(path: sockets)
        self.clocks = clocks
        // Can only fail for a wrong argument. Without it orphans would go to PID 1 and out of sight.
        _ = clinux_become_subreaper()
    }

    package func run(_ launch: EngineLaunch) -> AsyncStream<EngineHostEvent> {
        // A few events in an engine's life, and one per process watched: the watches are bounded, and so is this.
        let (stream, events) = AsyncStream.makeStream(of: EngineHostEvent.self)
        let fresh = makeLife(record: record, events: events)
        let (isFree, waiting) = engines.withLock { engines -> (Bool, EngineLife?) in
            guard engines.current == nil else { return (false, nil) }
            let waiting = launch.go == nil ? nil : engines.takeWaiting()
            engines.current = waiting ?? fresh
            return (true, waiting)
        }
        guard isFree else {
            let failure = EngineStartFailure(.unknown, "the engine is still running; stop it before starting another")
            events.yield(.startFailed(failure, at: clocks.now()))
            events.finish()
            return stream
        }
        executor.queue.async {
            if let waiting {
                self.start(launch, waiting: waiting, events)
            } else {
                fresh.assumeIsolated { $0.start(launch) }
            }
        }
        return stream
    }

    func makeLife(record: EngineRecordFile, events: AsyncStream<EngineHostEvent>.Continuation?) -> EngineLife {
        EngineLife(
            on: executor, clocks: clocks, record: record, sockets: sockets, events: events,
            strangers: { [weak self] life in self?.engines.withLock { $0.strangers(to: life) } ?? [] },
            over: { [weak self] life in self?.forget(life) })
    }

    private func forget(_ life: EngineLife) {
        let isNoneLeft = engines.withLock { engines in
            engines.remove(life)
            return engines.current == nil
        }
        // One that only waits has none yet.
        if isNoneLeft { sockets.clear() }
    }

    private var current: EngineLife? { engines.withLock { $0.current } }

    package func terminateMain() {
        perform { $0.terminateMain() }
    }

    package func killAll() {
        perform { $0.killAll() }
    }

    package func observe() -> [EngineProcess] {
        guard let life = current, let membership = life.membership.withLock({ $0 }) else { return [] }
        let members = life.members()
        let living = members.filter { !$0.isZombie }
        if members.contains(where: { $0.isZombie && $0.pid != membership.session }) {
            // Nobody tells us of the deaths of orphans, so they are reaped when they are seen.
            perform { $0.reapOrphans() }
        }
        let names = titles.withLock { $0.titles(of: living) }
        let processes = zip(living, names).map { process, name in
            var seen = EngineProcess(
                pid: process.pid, parent: process.parent, title: name, cpuTicks: process.cpuTicks,
                residentBytes: process.residentPages * pageSize)
            seen.diskBytes = ProcessTable.diskBytes(of: process.pid) + process.majorFaults * pageSize
            return seen
        }
        let workers = zip(living.map(\.identity), processes).filter { $0.0.pid != membership.session }
        perform { $0.watch(workers) }
        return processes
    }

    package var execution: String? { nil }

    /// Its engines end with their agent.
    package func adopt(startedAfter limit: BootInstant) async -> AdoptedEngine? { nil }

    package func removeLeftovers() async -> [Int32] {
        // While an engine of ours runs, the record speaks of that one.
        let (isFree, isNoneWaiting) = engines.withLock { ($0.current == nil, $0.waiting == nil) }
        guard isFree else { return [] }
        let killed = await LeftoverRemoval(on: executor, record: record).run()
        await clearSockets()
        return isNoneWaiting ? await killed + LeftoverRemoval(on: executor, record: standbyRecord).run() : killed
    }

    /// Those of an engine whose agent was killed as well.
    private func clearSockets() async {
        await withCheckedContinuation { continuation in
            executor.queue.async {
                if self.current == nil { self.sockets.clear() }
                continuation.resume()
            }
        }
    }

    private func perform(_ action: @escaping @Sendable (isolated EngineLife) -> Void) {
        guard let life = current else { return }
        executor.queue.async { life.assumeIsolated(action) }
    }
}
