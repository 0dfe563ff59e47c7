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
        guard let install = locator.locate(),
            let launch = EngineStarter(settings: settings, files: ports.files).waiting(on: install)
        else { return }
        await preparation.files.turns.run { [self] in
            if !ports.engineHost.parksBeside {
                // The files are those of the engine that is about to start, or runs.
                guard !preparation.files.areAnEngines.withLock({ $0 }) else { return }
                do throws(FailureReport) {
                    try preparation.preparer.writeWaiting(launch)
                } catch {
                    ports.log.write(.warning, "no engine waits: \(error.message)")
                    return
                }
            }
            await ports.engineHost.park(launch)
        }
    }
}
