internal import AgentCore
internal import Locking

/// Takes the body of an answer as it comes, on the client's thread.
protocol CurlSink: Sendable {
    /// False ends the transfer.
    func take(_ bytes: UnsafeRawBufferPointer) -> Bool
}

/// A request and the one caller who waits for its answer.
///
/// Whoever finishes first, the thread or a cancellation, resumes the caller; later ends change nothing. A
/// cancellation that comes before the caller waits is remembered, so both orders end alike.
final class CurlExchange: Sendable {
    typealias Answer = Result<HTTPResponse, HTTPFailure>

    let request: HTTPRequest
    /// Where the body of a 2xx goes; nil collects it in memory.
    let sink: (any CurlSink)?

    private enum State {
        /// Can become `waiting` or `finished`.
        case created
        /// Can become `finished`.
        case waiting(CheckedContinuation<Answer, Never>)
        case finished
    }

    private let state = Mutex(State.created)

    init(_ request: HTTPRequest, sink: (any CurlSink)? = nil) {
        self.request = request
        self.sink = sink
    }

    /// False when the exchange is already finished: then the continuation stays the caller's to resume.
    func attach(_ continuation: CheckedContinuation<Answer, Never>) -> Bool {
        state.withLock { state in
            guard case .created = state else { return false }
            state = .waiting(continuation)
            return true
        }
    }

    func finish(_ answer: Answer) {
        let waiting = state.withLock { state -> CheckedContinuation<Answer, Never>? in
            defer { state = .finished }
            guard case .waiting(let continuation) = state else { return nil }
            return continuation
        }
        waiting?.resume(returning: answer)
    }

    var isFinished: Bool {
        state.withLock { state in
            guard case .finished = state else { return false }
            return true
        }
    }
}
