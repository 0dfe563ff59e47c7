package import AgentCore
internal import Locking

/// Stands in for the network: answers each request by a function of its URL and announces it.
package final class ScriptedHTTPClient: HTTPClient {
    package typealias Answer = @Sendable (HTTPRequest) async throws(HTTPFailure) -> HTTPResponse

    package let requests: AsyncStream<HTTPRequest>
    private let seen: AsyncStream<HTTPRequest>.Continuation
    private let answer: Answer
    private let kept = Mutex<[HTTPRequest]>([])

    /// All so far.
    package var asked: [HTTPRequest] { kept.withLock { $0 } }

    package init(_ answer: @escaping Answer) {
        (requests, seen) = AsyncStream.makeStream()
        self.answer = answer
    }

    package func send(_ request: HTTPRequest) async throws(HTTPFailure) -> HTTPResponse {
        kept.withLock { $0.append(request) }
        seen.yield(request)
        return try await answer(request)
    }
}

extension HTTPResponse {
    package static func answer(_ status: Int, _ body: String = "", headers: [String: String] = [:]) -> HTTPResponse {
        HTTPResponse(
            status: status, headers: headers, body: [UInt8](body.utf8), firstByteAt: BootInstant(nanoseconds: 0))
    }
}

/// Suspends until its task is cancelled, as a server that never answers does.
package func neverAnswers() async throws(HTTPFailure) -> HTTPResponse {
    let (stream, _) = AsyncStream<Never>.makeStream()
    for await _ in stream {}
    throw HTTPFailure(.cancelled, "cancelled")
}
