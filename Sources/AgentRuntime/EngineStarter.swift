internal import AgentCore

/// Turns what vLLM is to serve into what is executed, as the node's start mode has it.
struct EngineStarter: Sendable {
    let settings: AgentSettings
    let files: any FileStore

    func launch(
        _ arguments: [String], on install: EngineInstall, environment: [EnvironmentVariable],
        at place: EnginePlace = .main
    ) -> EngineLaunch {
        guard let launcher = launcher(for: install, at: place) else {
            return launch(install.executable, arguments, environment, at: place)
        }
        var launch = launch(launcher.executable, launcher.serving(arguments), environment, at: place)
        if settings.engineStart == .standby {
            launch.go = EngineGo(socket: launcher.socket, arguments: arguments)
        }
        return launch
    }

    /// An engine that waits; nil where none is wanted, or none can be had.
    func waiting(on install: EngineInstall, at place: EnginePlace) -> EngineLaunch? {
        guard settings.engineStart == .standby, let launcher = launcher(for: install, at: place) else { return nil }
        let environment = EngineEnvironment.variables(
            beforeAssignmentOn: install, inherited: settings.inherited, cacheFolder: settings.cacheFolder,
            savings: settings.savings)
        return launch(launcher.executable, launcher.waiting, environment, at: place)
    }

    private func launch(
        _ executable: String, _ arguments: [String], _ environment: [EnvironmentVariable], at place: EnginePlace
    ) -> EngineLaunch {
        var launch = EngineLaunch(
            executable: executable, arguments: arguments, environment: environment, logPath: settings.engineLog,
            workingDirectory: settings.runtimeFolder)
        launch.place = place
        return launch
    }

    /// nil: vLLM is executed as it is.
    private func launcher(for install: EngineInstall, at place: EnginePlace) -> EngineLauncher? {
        guard settings.engineStart != .plain,
            let names = try? files.list(settings.engineLauncher), names.contains(EngineLauncher.mainFile)
        else { return nil }
        // Each unit makes a folder of its own for the engine's user.
        let unit = place == .main ? "/run/crosslogic-engine" : "/run/crosslogic-engine-spare"
        let folder = settings.engineHost == .systemd ? unit : settings.runtimeFolder
        return EngineLauncher(
            for: install, folder: settings.engineLauncher,
            records: "\(settings.cacheFolder)/\(EngineLauncher.records)", socket: "\(folder)/standby.sock")
    }
}
