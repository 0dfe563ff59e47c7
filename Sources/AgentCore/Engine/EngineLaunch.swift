/// Everything needed to execute the engine once. Holds the credentials environment, so it is never logged whole.
package struct EngineLaunch: Equatable, Sendable {
    /// Absolute path of the `vllm` executable.
    package var executable: String
    /// Arguments after the executable's name; never a secret among them.
    package var arguments: [String]
    /// The whole environment of the engine, nothing is inherited beyond it.
    package var environment: [EnvironmentVariable]
    /// File that receives standard output and standard error, appended.
    package var logPath: String
    package var workingDirectory: String
    /// How long it goes on with requests in flight after SIGTERM; nil for one that drops them.
    package var drainsOnTerminate: Duration?
    /// Whether `/load` counts requests; without, it answers zero whatever there is.
    package var tracksLoad = false
    /// For hosts that have two.
    package var place = EnginePlace.main
    /// What an engine that waits is told instead of executing another; nil: it is executed.
    package var go: EngineGo?

    package init(
        executable: String, arguments: [String], environment: [EnvironmentVariable], logPath: String,
        workingDirectory: String
    ) {
        self.executable = executable
        self.arguments = arguments
        self.environment = environment
        self.logPath = logPath
        self.workingDirectory = workingDirectory
    }
}

/// Where an engine is executed: while one runs, the next one may wait in the other, and takes over where it is.
package enum EnginePlace: String, CaseIterable, Sendable {
    case main
    case spare

    package var other: EnginePlace { self == .main ? .spare : .main }
}

package struct EnvironmentVariable: Equatable, Sendable {
    package var name: String
    package var value: Secret

    package init(_ name: String, _ value: Secret) {
        self.name = name
        self.value = value
    }

    package init(_ name: String, _ value: String) {
        self.init(name, Secret(value))
    }
}

/// How the engine's main process ended.
package enum EngineExit: Equatable, Sendable {
    case exited(code: Int32)
    case signalled(signal: Int32, coreDumped: Bool)
}

/// Why the engine could not be started at all.
package struct EngineStartFailure: Error, Equatable, Sendable {
    package var failure: FailureClass
    /// In words that fix it: what, where, what to do.
    package var message: String

    package init(_ failure: FailureClass, _ message: String) {
        self.failure = failure
        self.message = message
    }
}

/// The life of one engine, told by its host. `gone` or `startFailed` is always the last word.
package enum EngineHostEvent: Equatable, Sendable {
    case startFailed(EngineStartFailure, at: BootInstant)
    /// The program has been executed (after `execve`, not after `fork`).
    case started(pid: Int32, at: BootInstant)
    /// A process of the engine other than the main one has ended.
    case processEnded(EngineProcess, at: BootInstant)
    /// The kernel ended it because its memory ran out, at most `peak` bytes of it; `exited` follows.
    case ranOutOfMemory(peak: UInt64?)
    /// The main process has ended. Workers may still live and hold memory.
    case exited(EngineExit, at: BootInstant)
    /// Not one process of the engine is left.
    case gone(at: BootInstant)
}

/// One process of the engine, as the kernel shows it.
package struct EngineProcess: Equatable, Sendable {
    package var pid: Int32
    package var parent: Int32
    /// Process title, such as `VLLM::EngineCore`; the command's name where no title was set.
    package var title: String
    /// User plus system CPU time since its start, in clock ticks (100 a second).
    package var cpuTicks: UInt64
    /// Resident set, in bytes.
    package var residentBytes: UInt64
    /// Read from disks, faults on mapped files included; only rises.
    package var diskBytes: UInt64 = 0

    package init(pid: Int32, parent: Int32, title: String, cpuTicks: UInt64, residentBytes: UInt64) {
        self.pid = pid
        self.parent = parent
        self.title = title
        self.cpuTicks = cpuTicks
        self.residentBytes = residentBytes
    }
}
