/// How much of a start is done before it is asked for.
package enum EngineStartMode: String, CaseIterable, Sendable {
    /// `vllm serve` as it is.
    case plain
    /// A fork server imports what the engine's processes need, beside the command's own imports.
    case preload
    /// All is imported before the assignment is known; the engine waits for one message.
    case standby
}

/// The command lines of the engine launcher, a Python program that takes imports out of vLLM's start.
///
/// Whatever it finds not to be as expected, it executes `vllm` instead, and says so in the engine's log.
package struct EngineLauncher: Equatable, Sendable {
    /// Its folder is there while its package is.
    package static let standardFolder = "/usr/lib/crosslogic/engine-launcher"
    package static let mainFile = "__main__.py"

    /// The one that vLLM is installed for.
    var interpreter: String
    var folder: String
    var vllm: String
    /// Folder for what it has recorded of earlier starts; the engine's user writes there.
    var records: String
    /// Where an engine that waits hears of its go; in a folder of the engine's user.
    package var socket: String

    /// nil for a vLLM that is no Python script.
    package init?(for install: EngineInstall, folder: String, records: String, socket: String) {
        guard let interpreter = install.interpreter else { return nil }
        self.interpreter = interpreter
        self.folder = folder
        self.records = records
        self.socket = socket
        vllm = install.executable
    }

    /// Arguments of the interpreter that serve with these arguments of vLLM's.
    package func serving(_ arguments: [String]) -> [String] {
        [folder, Self.serves, "--vllm", vllm, "--state", records, Self.separator] + arguments
    }

    /// Arguments of the interpreter that import and wait.
    package var waiting: [String] {
        [folder, Self.waits, "--vllm", vllm, "--state", records, "--socket", socket]
    }

    package var executable: String { interpreter }

    private static let serves = "preload"
    private static let waits = "park"
    /// What it has recorded, in the engine's cache.
    package static let records = "launcher"

    /// In the environment of an engine's unit: the file with what to execute, where that is not the usual one.
    package static let argumentsVariable = "CROSSLOGIC_ENGINE_ARGUMENTS"

    /// From the agent's environment to the engine's: `off`, or after how many idle seconds what was imported is kept
    /// for the next boot.
    package static let checkpointVariable = "CROSSLOGIC_CHECKPOINT"
    package static let checkpointSeconds = 0.0...3600.0

    /// The checkpoint that nothing is restored from any more once this is executed; nil where it may be of use. While
    /// there is one, no boot reads the engine's files ahead (crosslogic-read-ahead.service).
    package static func uselessCheckpoint(executing command: [String], _ environment: [String: String]) -> String? {
        let isLauncher = command.count > 2 && command[1].hasPrefix("/") && [serves, waits].contains(command[2])
        guard !isLauncher || environment[checkpointVariable] == "off" else { return nil }
        return environment["CACHE_DIRECTORY"].map { "\($0)/\(records)/checkpoint" }
    }

    /// For the engine's log, where an engine that waited does not serve; in the form of the launcher's own lines.
    package static func refusal(_ reason: String) -> String { "crosslogic-launcher: not standby, because \(reason)\n" }

    /// What stands before vLLM's own arguments.
    package static let separator = "--"
}

/// How an engine that waits is made to serve.
package struct EngineGo: Equatable, Sendable {
    package var socket: String
    /// vLLM's own.
    package var arguments: [String]

    package init(socket: String, arguments: [String]) {
        self.socket = socket
        self.arguments = arguments
    }
}
