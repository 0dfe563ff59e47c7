/// Tells that the whole system is about to go down, and can hold it up for a moment.
package protocol ShutdownMonitor: Sendable {
    /// The stream ends when its task is cancelled. For one reader.
    func watch() -> AsyncStream<ShutdownEvent>
    /// Lets a shutdown that waits for us go on. May be called at any time.
    func release()
    /// The next shutdown is to wait for us again. So it is from the beginning.
    func hold()
}

package enum ShutdownEvent: Equatable, Sendable {
    /// A shutdown will be announced, and waits at most so long for `release`.
    case watching(delay: Duration)
    case announced
    /// It was called off.
    case cancelled
    /// Nothing will be announced until `watching` comes again.
    case lost(reason: String)
}
