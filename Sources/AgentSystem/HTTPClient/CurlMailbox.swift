internal import AgentCore
internal import Locking

/// Between the callers and the thread: everything they share, behind one lock.
final class CurlMailbox: Sendable {
    typealias CloseContinuation = CheckedContinuation<Void, Never>

    let settings: CurlSettings
    let clocks: any Clocks

    private struct Contents {
        var inbox = CurlInbox<CloseContinuation>()
        /// nil until the thread has made it; the thread looks into the inbox after that, so no wake-up is lost.
        var multi: CurlMulti?
    }

    private let contents = Mutex(Contents())

    init(settings: CurlSettings, clocks: any Clocks) {
        self.settings = settings
        self.clocks = clocks
    }

    func submit(_ exchange: CurlExchange) {
        let (action, multi) = contents.withLock { ($0.inbox.submit(exchange), $0.multi) }
        switch action {
        case .startThread:
            startThread()
        case .wakeThread:
            multi?.wake()
        case .refuse:
            exchange.finish(.failure(HTTPFailure(.cancelled, "the HTTP client is closed")))
        }
    }

    func cancel(_ exchange: CurlExchange) {
        let multi = contents.withLock { $0.inbox.cancel(exchange) ? $0.multi : nil }
        multi?.wake()
    }

    /// `waiter` is resumed when the thread is gone.
    func close(then waiter: CloseContinuation? = nil) {
        let (action, multi) = contents.withLock { ($0.inbox.close(waiter), $0.multi) }
        switch action {
        case .wakeThread:
            multi?.wake()
        case .wait:
            break
        case .resumeNow:
            waiter?.resume()
        }
    }

    // MARK: Called by the thread

    func connect(_ multi: CurlMulti) {
        contents.withLock { $0.multi = multi }
    }

    /// Before the thread lets go of the handle, so that it is never freed under the lock.
    func disconnect() {
        contents.withLock { $0.multi = nil }
    }

    func takeWork() -> CurlInbox<CloseContinuation>.Work {
        contents.withLock { $0.inbox.takeWork() }
    }

    /// `failure` goes to requests that no thread has seen.
    func threadEnded(_ failure: HTTPFailure) {
        let (unanswered, waiters) = contents.withLock { $0.inbox.threadEnded() }
        for exchange in unanswered { exchange.finish(.failure(failure)) }
        for waiter in waiters { waiter.resume() }
    }

    private func startThread() {
        let errorNumber = DetachedThread.start { CurlDriver.run(self) }
        guard errorNumber != 0 else { return }
        threadEnded(HTTPFailure(.other, "cannot start the HTTP thread: errno \(errorNumber)"))
    }
}
