internal import Locking

/// How much of the engine's log has been read; rises from one engine to the next.
final class LogMeter: Sendable {
    private let count = Mutex<UInt64>(0)

    var bytes: UInt64 { count.withLock { $0 } }

    func add(_ bytes: Int) { count.withLock { $0 += UInt64(bytes) } }
}
