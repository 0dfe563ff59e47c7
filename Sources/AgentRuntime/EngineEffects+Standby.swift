internal import AgentCore
internal import Locking

extension EngineEffects {
    /// Cheap, and the newest wish is the one that counts.
    func standBy(_ wish: StandbyWish) { wisher.yield(wish) }

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
            await ports.engineHost.park(launch)
        }
    }
}
