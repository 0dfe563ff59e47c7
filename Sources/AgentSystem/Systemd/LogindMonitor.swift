package import AgentCore
internal import CLinux
internal import CSystemd
internal import Glibc
internal import Locking

/// logind over sd-bus: hears of a shutdown while everything still runs, and holds it up until the node has drained.
///
/// At PrepareForShutdown all units are still up; by the time SIGTERM comes systemd is taking them down in parallel,
/// the network among them.
package final class LogindMonitor: ShutdownMonitor {
    private static let retryAfter: Int32 = 5000

    private struct State {
        /// The delay lock, while we hold one.
        var lock: Int32 = -1
        /// Whether a shutdown is to wait for us.
        var wantsLock = true
        /// logind does not grant it; asked again on the next connection only.
        var isRefused = false
        var isStopped = false
    }

    private let state = Mutex(State())
    private let wake: (read: Int32, write: Int32)

    package init() {
        var ends: [Int32] = [-1, -1]
        // Without descriptors there is nothing to wake: the thread then looks once in five seconds.
        _ = clinux_pipe(&ends)
        wake = (ends[0], ends[1])
    }

    deinit {
        release()
        close(wake.read)
        close(wake.write)
    }

    package func watch() -> AsyncStream<ShutdownEvent> {
        let (events, continuation) = AsyncStream<ShutdownEvent>.makeStream()
        continuation.onTermination = { [weak self] _ in self?.stop() }
        // The thread keeps the monitor alive until it has ended.
        if DetachedThread.start({ self.run(continuation) }) != 0 { continuation.finish() }
        return events
    }

    package func release() {
        state.withLock { $0.wantsLock = false }
        dropLock()
    }

    package func hold() {
        state.withLock { $0.wantsLock = true }
        wakeUp()
    }

    private func dropLock() {
        let lock = state.withLock { state in
            defer { state.lock = -1 }
            return state.lock
        }
        if lock >= 0 { close(lock) }
    }

    private func wakeUp() { _ = write(wake.write, "!", 1) }

    private func stop() {
        state.withLock { $0.isStopped = true }
        wakeUp()
    }

    private var isStopped: Bool { state.withLock { $0.isStopped } }

    private func run(_ continuation: AsyncStream<ShutdownEvent>.Continuation) {
        defer {
            dropLock()
            continuation.finish()
        }
        while !isStopped {
            do throws(SystemError) {
                let connection = try LogindConnection()
                try serve(connection, continuation)
            } catch {
                // No system bus: a container, or a machine without systemd. Nobody will announce anything, ever.
                if error.code == ENOENT { return }
                continuation.yield(.lost(reason: "\(error.operation): \(String(cString: strerror(error.code)))"))
                _ = sleep()
            }
        }
    }

    /// Returns when the monitor is stopped; throws when the bus is gone.
    private func serve(
        _ connection: LogindConnection, _ continuation: AsyncStream<ShutdownEvent>.Continuation
    ) throws(SystemError) {
        try connection.listen()
        state.withLock { $0.isRefused = false }
        continuation.yield(.watching(delay: takeLock(connection)))
        // Said before anybody listened: to an agent that is started again, or on a bus that was lost meanwhile.
        if connection.isPreparing { continuation.yield(.announced) }
        while !isStopped {
            for starts in try connection.process() {
                if !starts { state.withLock { $0.wantsLock = true } }
                continuation.yield(starts ? .announced : .cancelled)
            }
            // Let go of, and wanted again: the next shutdown must wait for us as well.
            if state.withLock({ $0.wantsLock && $0.lock < 0 && !$0.isRefused }) {
                continuation.yield(.watching(delay: takeLock(connection)))
            }
            try connection.wait(or: wake.read)
            var words = [UInt8](repeating: 0, count: 64)
            while read(wake.read, &words, words.count) > 0 {}
        }
    }

    /// How long a shutdown will wait; not at all where logind does not grant us the lock. Its word comes nevertheless.
    private func takeLock(_ connection: LogindConnection) -> Duration {
        dropLock()
        guard let (descriptor, delay) = connection.inhibit() else {
            state.withLock { $0.isRefused = true }
            return .zero
        }
        state.withLock { $0.lock = descriptor }
        return delay
    }

    private func sleep() -> Int32 {
        var entry = pollfd(fd: wake.read, events: Int16(POLLIN), revents: 0)
        return poll(&entry, 1, Self.retryAfter)
    }
}

/// One connection to the system bus, used by one thread.
private final class LogindConnection {
    private var bus: OpaquePointer?
    /// What came since the last `process`, in order.
    private var heard: [Bool] = []

    init() throws(SystemError) {
        try Self.check("open system bus", sd_bus_open_system(&bus))
    }

    deinit {
        sd_bus_flush_close_unref(bus)
    }

    /// The bus calls back with this object, unretained: the match dies with the connection.
    func listen() throws(SystemError) {
        let me = Unmanaged.passUnretained(self).toOpaque()
        try Self.check(
            "listen to logind",
            csystemd_logind_match(
                bus,
                { message, userdata, _ in
                    var starts = false
                    guard let userdata, csystemd_logind_starts(message, &starts) >= 0 else { return 0 }
                    Unmanaged<LogindConnection>.fromOpaque(userdata).takeUnretainedValue().heard.append(starts)
                    return 0
                }, me))
    }

    func inhibit() -> (descriptor: Int32, delay: Duration)? {
        var descriptor: Int32 = -1
        let why = "requests in flight are brought to their end"
        guard csystemd_logind_inhibit(bus, "crosslogic-node-agent", why, &descriptor) >= 0 else { return nil }
        var microseconds: UInt64 = 0
        _ = csystemd_logind_delay(bus, &microseconds)
        return (descriptor, .microseconds(Int64(min(microseconds, 3_600_000_000))))
    }

    /// Whether a shutdown is announced already.
    var isPreparing: Bool {
        var isPreparing = false
        return csystemd_logind_preparing(bus, &isPreparing) >= 0 && isPreparing
    }

    func process() throws(SystemError) -> [Bool] {
        while try Self.check("read from the system bus", sd_bus_process(bus, nil)) > 0 {}
        defer { heard = [] }
        return heard
    }

    func wait(or wake: Int32) throws(SystemError) {
        let events = try Self.check("system bus", sd_bus_get_events(bus))
        var until: UInt64 = .max
        _ = sd_bus_get_timeout(bus, &until)
        var entries = [
            pollfd(fd: sd_bus_get_fd(bus), events: Int16(events), revents: 0),
            pollfd(fd: wake, events: Int16(POLLIN), revents: 0),
        ]
        // sd-bus has a timeout only while one of its own calls is outstanding; a second's delay then is no harm.
        _ = poll(&entries, 2, until == .max ? -1 : 1000)
    }

    @discardableResult
    private static func check(_ operation: String, _ result: Int32) throws(SystemError) -> Int32 {
        guard result < 0 else { return result }
        throw SystemError(operation: operation, code: -result)
    }
}

@available(*, unavailable)
extension LogindConnection: Sendable {}
