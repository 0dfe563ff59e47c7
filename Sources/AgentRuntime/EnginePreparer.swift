internal import AgentCore
internal import AgentWire

/// Everything between an accepted assignment and the exec: engine found, port free, environment written.
struct EnginePreparer: Sendable {
    let settings: AgentSettings
    let ports: AgentPorts

    func prepare(
        _ assignment: Assignment, on install: EngineInstall?, loading: WeightLoading? = nil,
        tuned: [EnvironmentVariable] = []
    ) async throws(FailureReport) -> EngineLaunch {
        guard let install else { throw engineMissing() }
        if let listener = ports.portInspector.listeners(onTCPPort: settings.enginePort).first {
            throw FailureReport.portInUse(listener)
        }
        let placement = placement(for: assignment)
        let arguments = EngineCommand.arguments(
            for: assignment, on: install, placement: placement, loading: loading)
        let environment = EngineEnvironment.variables(
            for: assignment, on: install, inherited: settings.environment, cacheFolder: settings.cacheFolder,
            loading: loading, tuned: tuned)
        try write(environment: environment, arguments: [install.executable] + arguments)
        var launch = EngineLaunch(
            executable: install.executable, arguments: arguments, environment: environment,
            logPath: settings.engineLog, workingDirectory: settings.runtimeFolder)
        launch.drainsOnTerminate = EngineCommand.drainSeconds(in: arguments).map { .seconds($0) }
        return launch
    }

    /// Writes the environment of an engine that runs, for the next one: all as it was but what opens the store.
    func renew(
        _ launch: EngineLaunch, with assignment: Assignment, on install: EngineInstall
    ) throws(FailureReport) {
        let keys: Set = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"]
        let fresh = EngineEnvironment.variables(
            for: assignment, on: install, inherited: settings.environment, cacheFolder: settings.cacheFolder)
        let kept = launch.environment.filter { !keys.contains($0.name) }
        try write(environment: kept + fresh.filter { keys.contains($0.name) })
    }

    /// A spot machine's engine goes on for as long as a notice of its cloud lasts, and no longer.
    private func placement(for assignment: Assignment) -> EnginePlacement {
        var placement = settings.placement
        let cloud = CloudReader(settings: settings, files: ports.files).place(for: assignment).cloud
        guard assignment.useSpot, cloud != .generic else { return placement }
        placement.drainSeconds = Int(DrainPlan.engineTimeout(on: cloud, granted: settings.grantedNotice).inSeconds)
        return placement
    }

    /// Credentials stay on disk no longer than an engine needs them.
    func removeCredentials() {
        do throws(FileFailure) {
            try ports.files.remove(environmentFile)
        } catch {
            ports.log.write(.warning, error.message)
        }
    }

    /// What the engine that runs was started with, for an agent that did not start it.
    func drainsOfLastLaunch() -> Duration? {
        guard let bytes = try? ports.files.read(argumentsFile, limit: 1 << 20),
            let arguments = (try? JSONValue.parse(bytes))?.arrayValue?.compactMap(\.stringValue)
        else { return nil }
        return EngineCommand.drainSeconds(in: arguments).map { .seconds($0) }
    }

    private var argumentsFile: String { "\(settings.runtimeFolder)/engine.argv" }
    private var environmentFile: String { "\(settings.runtimeFolder)/engine.env" }

    private func write(environment: [EnvironmentVariable], arguments: [String]) throws(FailureReport) {
        try write(environment: environment)
        do {
            let argv = JSONValue.array(arguments.map(JSONValue.string)).rendered()
            try ports.files.writeForThisBoot(argv, to: argumentsFile, mode: 0o644)
        } catch {
            throw FailureReport(.localStorage, message: error.message, process: "agent")
        }
    }

    private func write(environment: [EnvironmentVariable]) throws(FailureReport) {
        guard let bytes = EnvFile.render(environment) else {
            throw FailureReport(
                .credentialsRejected, message: "a credential of the assignment contains a line break or a NUL",
                process: "agent")
        }
        do {
            try ports.files.writeForThisBoot(bytes, to: environmentFile, mode: 0o600)
        } catch {
            throw FailureReport(.localStorage, message: error.message, process: "agent")
        }
    }

    private func engineMissing() -> FailureReport {
        let tried = settings.engine.map { [$0] } ?? EngineLocator.candidates(settings)
        return FailureReport(
            .engineMissing, message: "no executable vllm at \(tried.joined(separator: ", "))", process: "agent")
    }
}

/// Finds the installed engine and reads its versions off package metadata, without starting Python.
struct EngineLocator: Sendable {
    let settings: AgentSettings
    let files: any FileStore

    static func candidates(_ settings: AgentSettings) -> [String] {
        let path = settings.environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin"
        return AgentSettings.defaultEngines + path.split(separator: ":").map { "\($0)/vllm" }
    }

    func locate() -> EngineInstall? {
        let candidates = settings.engine.map { [$0] } ?? Self.candidates(settings)
        guard let executable = candidates.first(where: files.isExecutable) else { return nil }
        var install = EngineInstall(executable: executable)
        for prefix in prefixes(of: executable) { readVersions(under: prefix, into: &install) }
        return install
    }

    /// Where the packages may be: beside the script, and beside the interpreter its first line names.
    private func prefixes(of executable: String) -> [String] {
        var prefixes = [parent(parent(executable))]
        // A wheel's console script is a few hundred bytes; anything else has no first line worth reading.
        if let head = try? files.read(executable, limit: 4096), head.starts(with: [UInt8]("#!".utf8)) {
            let line = String(decoding: head.dropFirst(2).prefix { $0 != 0x0A }, as: UTF8.self)
            if let interpreter = line.split(separator: " ").first {
                prefixes.append(parent(parent(String(interpreter))))
            }
        }
        return prefixes
    }

    private func readVersions(under prefix: String, into install: inout EngineInstall) {
        let library = "\(prefix)/lib"
        guard let pythons = try? files.list(library).filter({ $0.hasPrefix("python3") }) else { return }
        for python in pythons {
            for folder in ["site-packages", "dist-packages"] {
                guard let names = try? files.list("\(library)/\(python)/\(folder)") else { continue }
                install.read(sitePackages: names)
            }
        }
    }

    private func parent(_ path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "" }
        return String(path[..<slash])
    }
}
