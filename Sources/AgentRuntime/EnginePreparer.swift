internal import AgentCore
internal import AgentWire

/// Everything between an accepted assignment and the exec: engine found, port free, environment written.
struct EnginePreparer: Sendable {
    let settings: AgentSettings
    let ports: AgentPorts

    func prepare(
        _ assignment: Assignment, on install: EngineInstall?, at place: EnginePlace = .main,
        loading: WeightLoading? = nil, tuned: [EnvironmentVariable] = []
    ) async throws(FailureReport) -> EngineLaunch {
        guard let install else { throw engineMissing() }
        if let listener = ports.portInspector.listeners(onTCPPort: settings.enginePort).first {
            throw FailureReport.portInUse(listener)
        }
        let placement = placement(for: assignment)
        let arguments = EngineCommand.arguments(
            for: assignment, on: install, placement: placement, loading: loading)
        let environment = settings.engineEnvironment(for: assignment, on: install, loading: loading, tuned: tuned)
        var launch = EngineStarter(settings: settings, files: ports.files)
            .launch(arguments, on: install, environment: environment, at: place)
        try write(launch)
        launch.drainsOnTerminate = EngineCommand.drainSeconds(in: arguments).map { .seconds($0) }
        launch.tracksLoad = EngineCommand.tracksLoad(arguments)
        return launch
    }

    /// Writes the environment of an engine that runs, for the next one: all as it was but what opens the store. An
    /// earlier agent may have written it.
    func renew(at place: EnginePlace, with assignment: Assignment, on install: EngineInstall) throws(FailureReport) {
        let keys: Set = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"]
        let fresh = EngineEnvironment.variables(
            for: assignment, on: install, inherited: settings.inherited, cacheFolder: settings.cacheFolder)
        let kept = try environment(at: place).filter { !keys.contains($0.key) }.sorted { $0.key < $1.key }
            .map { EnvironmentVariable($0.key, $0.value) }
        try write(environment: kept + fresh.filter { keys.contains($0.name) }, at: place)
    }

    private func environment(at place: EnginePlace) throws(FailureReport) -> [String: String] {
        let path = environmentFile(place)
        do throws(FileFailure) {
            if let bytes = try ports.files.read(path, limit: EnvFile.maximumBytes) {
                return EnvFile.parse(bytes).variables
            }
        } catch {
            throw FailureReport(.localStorage, message: error.message, process: "agent")
        }
        throw FailureReport(.localStorage, message: "\(path): is not there any more", process: "agent")
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
    func removeCredentials(at place: EnginePlace) {
        do throws(FileFailure) {
            try ports.files.remove(environmentFile(place))
        } catch {
            ports.log.write(.warning, error.message)
        }
    }

    /// What the engine that runs was started with, for an agent that did not start it.
    func lastLaunch() -> (drains: Duration?, tracksLoad: Bool) {
        guard let bytes = try? ports.files.read(argumentsFile, limit: 1 << 20),
            let arguments = (try? JSONValue.parse(bytes))?.arrayValue?.compactMap(\.stringValue)
        else { return (nil, false) }
        return (
            EngineCommand.drainSeconds(in: arguments).map { .seconds($0) }, EngineCommand.tracksLoad(arguments)
        )
    }

    private var argumentsFile: String { "\(settings.runtimeFolder)/engine.argv" }
    /// As the unit of that place has it.
    private func environmentFile(_ place: EnginePlace) -> String {
        "\(settings.runtimeFolder)/\(place == .main ? "engine" : "spare").env"
    }

    /// For whoever executes the engine for us.
    func write(_ launch: EngineLaunch) throws(FailureReport) {
        try write(launch, arguments: argumentsFile)
    }

    /// The arguments in a file of their own: its program may still have to read them when the engine's are written.
    func writeWaiting(_ launch: EngineLaunch) throws(FailureReport) {
        var launch = launch
        let file = "\(settings.runtimeFolder)/standby.argv"
        launch.environment.append(EnvironmentVariable(EngineLauncher.argumentsVariable, file))
        try write(launch, arguments: file)
    }

    private func write(_ launch: EngineLaunch, arguments file: String) throws(FailureReport) {
        do {
            let argv = JSONValue.array(([launch.executable] + launch.arguments).map(JSONValue.string)).rendered()
            try ports.files.writeForThisBoot(argv, to: file, mode: 0o644)
        } catch {
            throw FailureReport(.localStorage, message: error.message, process: "agent")
        }
        try write(environment: launch.environment, at: launch.place)
    }

    private func write(environment: [EnvironmentVariable], at place: EnginePlace) throws(FailureReport) {
        guard let bytes = EnvFile.render(environment) else {
            throw FailureReport(
                .credentialsRejected, message: "a credential of the assignment contains a line break or a NUL",
                process: "agent")
        }
        do {
            try ports.files.writeForThisBoot(bytes, to: environmentFile(place), mode: 0o600)
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
        install.interpreter = interpreter(of: executable)
        for prefix in prefixes(of: executable) { readVersions(under: prefix, into: &install) }
        return install
    }

    /// Where the packages may be: beside the script, and beside the interpreter its first line names.
    private func prefixes(of executable: String) -> [String] {
        [executable, firstWord(of: executable)].compactMap { $0.map { parent(parent($0)) } }
    }

    private func interpreter(of executable: String) -> String? {
        guard let path = firstWord(of: executable), path.split(separator: "/").last?.hasPrefix("python") ?? false,
            files.isExecutable(path)
        else { return nil }
        return path
    }

    /// The program that a script is for.
    private func firstWord(of script: String) -> String? {
        // A wheel's console script is a few hundred bytes; anything else has no first line worth reading.
        guard let head = try? files.read(script, limit: 4096), head.starts(with: [UInt8]("#!".utf8)) else { return nil }
        let line = String(decoding: head.dropFirst(2).prefix { $0 != 0x0A }, as: UTF8.self)
        return line.split(separator: " ").first.map(String.init)
    }

    /// Names in the package folders of an engine, such as `torch-2.13.0.dist-info`.
    func distributions(of executable: String) -> [String] {
        packageFolders(of: executable).flatMap { (try? files.list($0)) ?? [] }
    }

    /// `site-packages` and the like, each once.
    func packageFolders(of executable: String) -> [String] {
        let folders = prefixes(of: executable).flatMap { packageFolders(under: $0) }
        return folders.enumerated().filter { !folders[..<$0.offset].contains($0.element) }.map(\.element)
    }

    private func readVersions(under prefix: String, into install: inout EngineInstall) {
        for folder in packageFolders(under: prefix) {
            guard let names = try? files.list(folder) else { continue }
            install.read(sitePackages: names)
        }
    }

    private func packageFolders(under prefix: String) -> [String] {
        let library = "\(prefix)/lib"
        let pythons = ((try? files.list(library)) ?? []).filter { $0.hasPrefix("python3") }
        return pythons.flatMap { ["\(library)/\($0)/site-packages", "\(library)/\($0)/dist-packages"] }
    }

    private func parent(_ path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "" }
        return String(path[..<slash])
    }
}
