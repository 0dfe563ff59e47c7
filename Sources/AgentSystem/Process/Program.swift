internal import CLinux
internal import Glibc

/// What this process itself is.
package enum Program {
    /// Replaces this program by another one, with the environment as it is. Answers only when that is impossible, in
    /// words that fix it.
    package static func replace(by arguments: [String]) -> String {
        guard let path = arguments.first, path.hasPrefix("/") else { return "the program's path is not absolute" }
        let strings = CStringArray(arguments)
        // Threads of Swift's pools block nearly every signal, and a mask outlives the exec: the engine would never hear
        // of SIGCHLD.
        clinux_unblock_signals()
        execv(path, strings.pointers)
        return "cannot execute \(path): \(SystemError(operation: "execve", code: errno).reason)"
    }

    /// No core dump and no other process of this user may show the secrets in its memory.
    package static func hideMemory() {
        // Can only fail for a wrong argument.
        _ = clinux_hide_memory()
    }

    /// Once the start is over, gives the code that only the start has executed back to the kernel, which otherwise
    /// keeps it mapped, and 64 KiB around each page of it, for as long as this process lives: 12 MB of an idle agent's
    /// 28 MB. Only once: later, what has been unmapped would be the first to go when memory is short, and an agent must
    /// not wait for a disk when its engine dies.
    package static func forgetStart() async {
        guard (try? await Task.sleep(for: startIsOver)) != nil else { return }
        clinux_release_code()
    }

    private static let startIsOver = Duration.seconds(10)

    /// systemd's watchdog period, where this very process is to be watched (sd_watchdog_enabled(3)).
    package static func watchdogPeriod(_ environment: [String: String]) -> Duration? {
        if let pid = environment["WATCHDOG_PID"], Int32(pid) != getpid() { return nil }
        guard let period = environment["WATCHDOG_USEC"].flatMap({ Int64($0) }), period > 0 else { return nil }
        return .microseconds(period)
    }
}
