package import AgentCore

/// HTTP out on libcurl: one thread of ours drives every transfer, callers only queue and wait.
///
/// The thread starts with the first request and sleeps in the kernel while there is none. Redirects are not
/// followed, certificates are always checked, and a proxy is used only where the request allows it.
package final class CurlHTTPClient: HTTPClient {
    private let mailbox: CurlMailbox

    package init(settings: CurlSettings, clocks: any Clocks) {
        mailbox = CurlMailbox(settings: settings, clocks: clocks)
    }

    deinit {
        mailbox.close()
    }

    package func send(_ request: HTTPRequest) async throws(HTTPFailure) -> HTTPResponse {
        try await send(request, into: nil)
    }

    func send(_ request: HTTPRequest, into sink: (any CurlSink)?) async throws(HTTPFailure) -> HTTPResponse {
        let exchange = CurlExchange(request, sink: sink)
        let result = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                guard exchange.attach(continuation) else {
                    return continuation.resume(returning: .failure(.cancelledByCaller))
                }
                mailbox.submit(exchange)
            }
        } onCancel: {
            // The caller is let go at once; the thread takes the transfer down when it wakes.
            exchange.finish(.failure(.cancelledByCaller))
            mailbox.cancel(exchange)
        }
        return try result.get()
    }

    /// Fails every outstanding request with `.cancelled` and returns when the thread has let go of its
    /// connections. Later requests fail the same way. May be called again.
    package func close() async {
        await withCheckedContinuation { continuation in
            mailbox.close(then: continuation)
        }
    }
}
