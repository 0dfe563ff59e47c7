internal import AgentCore
internal import AgentRuntime
internal import AgentSystem
internal import AgentWire
internal import ArgumentParser
internal import Glibc

/// Collects settings from where operators put them: env files beneath the environment, and flags above both.
struct SettingsSource: ParsableArguments {
    @Option(
        name: .customLong("env-file"), parsing: .singleValue,
        help: "Environment file to read; may be repeated, the last one wins, and the environment wins over all.")
    var environmentFiles: [String] = []

    @Option(help: "Path of the vllm executable (CROSSLOGIC_ENGINE).")
    var engine: String?

    @Option(name: .customLong("engine-log"), help: "File that receives the engine's output (CROSSLOGIC_ENGINE_LOG).")
    var engineLog: String?

    @Option(
        name: .customLong("engine-host"),
        help: "Who runs the engine: systemd or child (CROSSLOGIC_ENGINE_HOST; default: systemd where it is PID 1).")
    var engineHost: String?

    /// Names that only an agent with a control plane needs; a command that was given its assignment does without.
    private static let placeholders = [
        "CROSSLOGIC_CONTROL_PLANE_URL": "http://localhost", "CROSSLOGIC_NODE_ID": "none",
        "CROSSLOGIC_NODE_TOKEN": "none",
    ]

    func load(withoutControlPlane: Bool = false) throws(SettingsFaults) -> AgentSettings {
        var environment = withoutControlPlane ? Self.placeholders : [:]
        var faults: [FieldFault] = []
        for path in environmentFiles {
            let (variables, problems) = Self.read(path)
            environment.merge(variables) { _, new in new }
            faults += problems
        }
        environment.merge(Self.processEnvironment()) { _, new in new }
        if let engine { environment["CROSSLOGIC_ENGINE"] = engine }
        if let engineLog { environment["CROSSLOGIC_ENGINE_LOG"] = engineLog }
        if let engineHost { environment["CROSSLOGIC_ENGINE_HOST"] = engineHost }
        let tokenFile = Self.tokenFile(environment, &faults)
        do throws(SettingsFaults) {
            var settings = try AgentSettings(environment: environment, tokenFile: tokenFile)
            let host = settings.engineHost ?? (SystemdEngineHost.isAvailable ? .systemd : .child)
            if let fault = settings.choose(engineHost: host) { faults.append(fault) }
            if settings.engineHost == .systemd, !SystemdEngineHost.isAvailable {
                let door = SystemdEngineHost.standardPath
                let problem = "is systemd, but there is no \(door); start crosslogic-enginectl.socket or set child"
                faults.append(FieldFault(field: "CROSSLOGIC_ENGINE_HOST", problem: problem))
            }
            guard faults.isEmpty else { throw SettingsFaults(faults: faults) }
            return settings
        } catch {
            throw SettingsFaults(faults: faults + error.faults.filter { !faults.contains($0) })
        }
    }

    private static func read(_ path: String) -> (variables: [String: String], faults: [FieldFault]) {
        do throws(FileFailure) {
            guard let bytes = try LinuxFileStore().read(path, limit: EnvFile.maximumBytes) else {
                return ([:], [FieldFault(field: "--env-file \(path)", problem: "is not there")])
            }
            let (variables, faults) = EnvFile.parse(bytes)
            return (variables, faults.map { FieldFault(field: "--env-file \(path) \($0.field)", problem: $0.problem) })
        } catch {
            return ([:], [FieldFault(field: "--env-file \(path)", problem: "cannot be read: \(error.reason)")])
        }
    }

    /// A named file, or the credential systemd passes as `node-token`.
    private static func tokenFile(_ environment: [String: String], _ faults: inout [FieldFault]) -> String? {
        let named = environment["CROSSLOGIC_NODE_TOKEN_FILE"]
        guard let path = named ?? environment["CREDENTIALS_DIRECTORY"].map({ "\($0)/node-token" }) else { return nil }
        do throws(FileFailure) {
            guard let bytes = try LinuxFileStore().read(path, limit: 4096) else {
                if named != nil {
                    faults.append(FieldFault(field: "CROSSLOGIC_NODE_TOKEN_FILE", problem: "\(path) is not there"))
                }
                return nil
            }
            let text = String(decoding: bytes, as: UTF8.self)
            return String(text.reversed().drop { $0.isNewline || $0 == " " }.reversed())
        } catch {
            faults.append(FieldFault(field: "CROSSLOGIC_NODE_TOKEN_FILE", problem: "cannot be read: \(error.reason)"))
            return nil
        }
    }

    static func processEnvironment() -> [String: String] {
        var variables: [String: String] = [:]
        var entry = environ
        while let pointer = entry.pointee {
            let text = String(cString: pointer)
            if let equals = text.firstIndex(of: "=") {
                variables[String(text[..<equals])] = String(text[text.index(after: equals)...])
            }
            entry += 1
        }
        return variables
    }
}
