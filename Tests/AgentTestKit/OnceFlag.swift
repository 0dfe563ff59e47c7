internal import Locking

/// True for the first who asks.
package final class OnceFlag: Sendable {
    private let isAsked = Mutex(false)

    package init() {}

    package func first() -> Bool {
        isAsked.withLock { isAsked in
            defer { isAsked = true }
            return !isAsked
        }
    }
}
