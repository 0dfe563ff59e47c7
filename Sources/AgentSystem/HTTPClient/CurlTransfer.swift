internal import AgentCore
internal import CCurl
internal import Glibc

/// One request on the wire. Lives and dies on the client's thread.
///
/// libcurl's callbacks get this object unretained: the driver holds it until the handle has left the multi handle.
final class CurlTransfer {
    let exchange: CurlExchange
    let easy: CurlEasy
    private let clocks: any Clocks
    private var answer: CurlAnswer

    init(_ exchange: CurlExchange, settings: CurlSettings, clocks: any Clocks) throws(HTTPFailure) {
        self.exchange = exchange
        self.clocks = clocks
        answer = CurlAnswer(
            maximumHeaderBytes: settings.maximumHeaderBytes, maximumBodyBytes: exchange.request.maximumResponseBytes)
        easy = try CurlEasy()
        try easy.configure(for: exchange.request, settings: settings)
        try setCallbacks()
    }

    /// What the caller gets, now that libcurl is done.
    func result(_ code: CURLcode) -> CurlExchange.Answer {
        if let excess = answer.excess {
            guard exchange.request.dropsLongBody, answer.headersEnded else { return .failure(excess) }
            return .success(answer.responseWithoutBody(status: easy.long(CURLINFO_RESPONSE_CODE)))
        }
        // What libcurl says when one header line is beyond its own buffer: before 8.6, and since.
        if !answer.headersEnded, code == CURLE_OUT_OF_MEMORY || code.rawValue == 100 {
            return .failure(HTTPFailure(.tooLarge, "a header line of the answer is longer than libcurl takes"))
        }
        guard code == CURLE_OK else { return .failure(HTTPFailure(curl: code, words: easy.errorWords)) }
        // libcurl takes an answer that breaks off within its headers for one without a body.
        guard answer.headersEnded else {
            return .failure(HTTPFailure(.truncated, "the connection was closed within the headers"))
        }
        return .success(answer.response(status: easy.long(CURLINFO_RESPONSE_CODE)))
    }

    private func setCallbacks() throws(HTTPFailure) {
        let pointer = Unmanaged.passUnretained(self).toOpaque()
        try easy.set(CURLOPT_HEADERDATA, pointer: pointer)
        try easy.set(CURLOPT_HEADERFUNCTION) { bytes, size, count, pointer in
            CurlTransfer.take(bytes, size * count, pointer) { transfer, line in
                transfer.answer.take(headerLine: line, at: transfer.clocks.now())
            }
        }
        try easy.set(CURLOPT_WRITEDATA, pointer: pointer)
        try easy.set(CURLOPT_WRITEFUNCTION) { bytes, size, count, pointer in
            CurlTransfer.take(bytes, size * count, pointer) { transfer, body in transfer.take(body) }
        }
        // libcurl's own sockets lack close-on-exec (before 8.10).
        try easy.setOpenSocket { _, _, address in
            guard let address = address?.pointee else { return CURL_SOCKET_BAD }
            return socket(address.family, address.socktype | Int32(SOCK_CLOEXEC.rawValue), address.protocol)
        }
    }

    private func take(_ body: UnsafeRawBufferPointer) -> Bool {
        guard let sink = exchange.sink, easy.long(CURLINFO_RESPONSE_CODE) / 100 == 2 else {
            return answer.take(body: body)
        }
        return answer.pass(body: body) && sink.take(body)
    }

    /// The callbacks' contract: the count taken, or anything else to end the transfer.
    private static func take(
        _ bytes: UnsafeMutablePointer<CChar>?,
        _ count: Int,
        _ pointer: UnsafeMutableRawPointer?,
        _ body: (CurlTransfer, UnsafeRawBufferPointer) -> Bool
    ) -> Int {
        guard let pointer, count > 0 else { return 0 }
        let transfer = Unmanaged<CurlTransfer>.fromOpaque(pointer).takeUnretainedValue()
        return body(transfer, UnsafeRawBufferPointer(start: bytes, count: count)) ? count : 0
    }
}

@available(*, unavailable)
extension CurlTransfer: Sendable {}
