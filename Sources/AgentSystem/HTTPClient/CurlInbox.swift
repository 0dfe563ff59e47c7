/// What callers have asked for and the thread has not yet seen, and how far the thread's life is.
///
/// Book-keeping only: `CurlMailbox` guards it with a lock and performs what it returns.
struct CurlInbox<Waiter> {
    private enum Phase {
        /// Can become `running` or `ended`.
        case notStarted
        /// Can become `notStarted` (the thread broke down), or `closing`.
        case running
        /// Can become `ended`.
        case closing
        case ended
    }

    /// What the thread has to do next.
    struct Work {
        var submitted: [CurlExchange]
        var cancelled: [CurlExchange]
        /// Nothing may be begun any more and all must end.
        var isClosing: Bool
    }

    enum SubmitAction {
        case startThread
        case wakeThread
        case refuse
    }

    enum CloseAction {
        case wakeThread
        /// The thread is on its way out already.
        case wait
        case resumeNow
    }

    private var phase = Phase.notStarted
    private var submitted: [CurlExchange] = []
    private var cancelled: [CurlExchange] = []
    private var closeWaiters: [Waiter] = []

    mutating func submit(_ exchange: CurlExchange) -> SubmitAction {
        switch phase {
        case .notStarted:
            phase = .running
            submitted.append(exchange)
            return .startThread
        case .running:
            submitted.append(exchange)
            return .wakeThread
        case .closing, .ended:
            return .refuse
        }
    }

    /// Whether the thread has to be woken.
    mutating func cancel(_ exchange: CurlExchange) -> Bool {
        guard case .running = phase else { return false }
        cancelled.append(exchange)
        return true
    }

    mutating func close(_ waiter: Waiter?) -> CloseAction {
        switch phase {
        case .notStarted, .ended:
            phase = .ended
            return .resumeNow
        case .running:
            phase = .closing
            closeWaiters += waiter.map { [$0] } ?? []
            return .wakeThread
        case .closing:
            closeWaiters += waiter.map { [$0] } ?? []
            return .wait
        }
    }

    mutating func takeWork() -> Work {
        defer {
            submitted = []
            cancelled = []
        }
        var isClosing = false
        if case .closing = phase { isClosing = true }
        return Work(submitted: submitted, cancelled: cancelled, isClosing: isClosing)
    }

    /// The thread is gone. After a breakdown the next request starts a new one.
    mutating func threadEnded() -> (unanswered: [CurlExchange], closeWaiters: [Waiter]) {
        if case .running = phase {
            phase = .notStarted
        } else {
            phase = .ended
        }
        defer {
            submitted = []
            cancelled = []
            closeWaiters = []
        }
        return (submitted, closeWaiters)
    }
}
