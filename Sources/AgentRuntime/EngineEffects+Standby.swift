internal import AgentCore
internal import Locking

/// The newest wish, and the parking that is in flight: whoever finishes `abandon` ends that.
struct Parking {
    var wish: StandbyWish?
    var abandon: AsyncStream<Never>.Continuation?
}

extension EngineEffects {
    /// Cheap, and the newest wish is the one that counts.
    func standBy(_ wish: StandbyWish) {
        let abandon = parking.withLock { parking in
            parking.wish = wish
            return wish == .none ? parking.abandon : nil
        }
        wisher.yield(wish)
        abandon?.finish()
    }

    /// Keeps an engine waiting while one is wished for. Of the agent's own lifetime.
    func keepStandby() async {
        guard settings.engineStart == .standby else { return }
        for await wish in wishes {
            switch wish {
            case .untouched: break
            case .none: await ports.engineHost.unpark()
            case .parked: await park()
            }
        }
    }

    private func park() async {
        // What an agent before this one left is no standby of ours.
        await removeLeftovers()
        guard let install = locator.locate() else { return }
        await preparation.files.turns.run { [self] in
            let engine = preparation.files.engine.withLock { $0 }
            // One that is about to start has the processor, and may be what waits already.
            guard !engine.isPending, ports.engineHost.placeOfWaiting == nil else { return }
            let starter = EngineStarter(settings: settings, files: ports.files)
            guard let launch = starter.waiting(on: install, at: engine.place?.other ?? .main) else { return }
            do throws(FailureReport) {
                if settings.engineHost == .systemd { try preparation.preparer.writeWaiting(launch) }
            } catch {
                ports.log.write(.warning, "no engine waits: \(error.message)")
                return
            }
            await parkUnlessAbandoned(launch)
        }
    }

    /// A start may be held back by what ends the node; then nobody waits for it.
    private func parkUnlessAbandoned(_ launch: EngineLaunch) async {
        let (abandoned, abandon) = AsyncStream<Never>.makeStream()
        let isWanted = parking.withLock { parking in
            parking.abandon = abandon
            return parking.wish != StandbyWish.none
        }
        defer { parking.withLock { $0.abandon = nil } }
        guard isWanted else { return }
        await withDiscardingTaskGroup { [ports] group in
            group.addTask {
                await ports.engineHost.park(launch)
                abandon.finish()
            }
            for await _ in abandoned {}
            group.cancelAll()
        }
    }
}
