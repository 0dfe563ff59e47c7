package import AgentCore
internal import Locking

/// Stands in for an engine host: a test tells the engine's life and sees what was asked of it.
package final class StandInEngineHost: EngineHost {
    package enum Request: Equatable, Sendable {
        case run(executable: String)
        case park(arguments: [String])
        case unpark
        case terminateMain
        case killAll
    }

    package let requests: AsyncStream<Request>
    private let asked: AsyncStream<Request>.Continuation
    private let life = Mutex<AsyncStream<EngineHostEvent>.Continuation?>(nil)
    private let members = Mutex<[EngineProcess]>([])
    private let running = Mutex<Int32?>(nil)

    package init() {
        (requests, asked) = AsyncStream.makeStream()
    }

    package func tell(_ event: EngineHostEvent) {
        let life = life.withLock { $0 }
        life?.yield(event)
        switch event {
        case .gone, .startFailed: life?.finish()
        case .started, .processEnded, .exited, .ranOutOfMemory: break
        }
    }

    package func setProcesses(_ processes: [EngineProcess]) {
        members.withLock { $0 = processes }
    }

    /// An engine of an earlier agent, for `adopt` to find.
    package func setRunning(_ pid: Int32?) { running.withLock { $0 = pid } }

    package func run(_ launch: EngineLaunch) -> AsyncStream<EngineHostEvent> {
        let (events, continuation) = AsyncStream<EngineHostEvent>.makeStream()
        life.withLock { $0 = continuation }
        asked.yield(.run(executable: launch.executable))
        return events
    }

    package var placeOfWaiting: EnginePlace? { nil }

    package func park(_ launch: EngineLaunch) async { asked.yield(.park(arguments: launch.arguments)) }

    package func unpark() async { asked.yield(.unpark) }

    package func terminateMain() { asked.yield(.terminateMain) }

    package func killAll() { asked.yield(.killAll) }

    package func observe() -> [EngineProcess] { members.withLock { $0 } }

    package var execution: String? { nil }

    package func adopt(startedAfter limit: BootInstant) async -> AdoptedEngine? {
        guard let pid = running.withLock({ $0 }) else { return nil }
        let (events, continuation) = AsyncStream<EngineHostEvent>.makeStream()
        life.withLock { $0 = continuation }
        return AdoptedEngine(pid: pid, startedAt: limit, events: events)
    }

    package func removeLeftovers() async -> [Int32] { [] }
}
