package import AgentCore
internal import Dispatch
internal import Glibc
internal import Locking

/// The engines of a host: the one that was asked for, and the one that waits.
struct HostedEngines {
    var current: EngineLife?
    var waiting: EngineLife?
    /// It is being ended and cannot be asked any more.
    var isWaitingDiscarded = false

    /// Where the engine that waits fits, it is the current one from now on.
    mutating func takeWaiting() -> EngineLife? {
        guard !isWaitingDiscarded, let life = waiting else { return nil }
        waiting = nil
        return life
    }

    mutating func remove(_ life: EngineLife) {
        if current === life { current = nil }
        if waiting === life {
            waiting = nil
            isWaitingDiscarded = false
        }
    }

    func strangers(to life: EngineLife) -> Set<Int32> {
        let others = [current, waiting].compactMap(\.self).filter { $0 !== life }
        return Set(others.compactMap { $0.membership.withLock { $0?.session } })
    }
}

extension ChildEngineHost {
    package var placeOfWaiting: EnginePlace? { nil }

    package func park(_ launch: EngineLaunch) async {
        let life = makeLife(record: standbyRecord, events: nil)
        let isFree = engines.withLock { engines in
            guard engines.waiting == nil else { return false }
            engines.waiting = life
            return true
        }
        guard isFree else { return }
        await withCheckedContinuation { continuation in
            executor.queue.async {
                life.assumeIsolated { $0.start(launch) }
                continuation.resume()
            }
        }
    }

    package func unpark() async {
        let (stream, events) = AsyncStream.makeStream(of: EngineHostEvent.self)
        let life = engines.withLock { engines in
            engines.isWaitingDiscarded = engines.waiting != nil
            return engines.waiting
        }
        guard let life else { return }
        executor.queue.async { life.assumeIsolated { $0.discard(events) } }
        for await _ in stream {}
    }

    /// On the executor's queue. An engine that does not take the go makes way for one that is executed.
    func start(_ launch: EngineLaunch, waiting: EngineLife?, _ events: AsyncStream<EngineHostEvent>.Continuation) {
        guard let waiting, let go = launch.go else { return }
        let refusal = waiting.assumeIsolated { $0.go(go, launch, record: record, events: events) }
        guard let refusal else { return }
        // A log that cannot be written is the failure of the start that follows.
        try? EngineLogFile.openForEngine(launch.logPath).write(Array(EngineLauncher.refusal(refusal).utf8))
        let life = makeLife(record: record, events: events)
        engines.withLock { engines in
            engines.current = life
            // Kept until nothing is left of it.
            engines.waiting = waiting
            engines.isWaitingDiscarded = true
        }
        waiting.assumeIsolated { $0.discard(nil) }
        life.assumeIsolated { $0.start(launch) }
    }
}
