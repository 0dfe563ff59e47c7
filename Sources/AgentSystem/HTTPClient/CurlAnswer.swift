internal import AgentCore

/// An answer as it comes in, held to its limits.
struct CurlAnswer {
    private let maximumHeaderBytes: Int
    private let maximumBodyBytes: Int
    private var headerBytes = 0
    private(set) var headersEnded = false
    private var headers: [String: String] = [:]
    private var body: [UInt8] = []
    private var passedBytes = 0
    private var firstByteAt = BootInstant(nanoseconds: 0)

    /// Why the answer was given up, once a `take` has returned false.
    private(set) var excess: HTTPFailure?

    init(maximumHeaderBytes: Int, maximumBodyBytes: Int) {
        self.maximumHeaderBytes = maximumHeaderBytes
        self.maximumBodyBytes = maximumBodyBytes
    }

    /// One line, with its line break, as libcurl hands it over. A status line starts afresh (after `100 Continue`);
    /// trailers, which come after the body, count but are not kept.
    mutating func take(headerLine line: UnsafeRawBufferPointer, at now: BootInstant) -> Bool {
        headerBytes += line.count
        guard headerBytes <= maximumHeaderBytes else {
            excess = HTTPFailure(.tooLarge, "the headers of the answer exceed \(maximumHeaderBytes) bytes")
            return false
        }
        if line.starts(with: "HTTP/".utf8) {
            headers = [:]
            headersEnded = false
            firstByteAt = now
        } else if line.allSatisfy({ $0 == UInt8(ascii: "\r") || $0 == UInt8(ascii: "\n") }) {
            headersEnded = true
        } else if !headersEnded {
            keep(line)
        }
        return true
    }

    mutating func take(body bytes: UnsafeRawBufferPointer) -> Bool {
        guard body.count + bytes.count <= maximumBodyBytes else {
            excess = HTTPFailure(.tooLarge, "the answer exceeds \(maximumBodyBytes) bytes")
            return false
        }
        body += bytes
        return true
    }

    /// Counts what goes elsewhere.
    mutating func pass(body bytes: UnsafeRawBufferPointer) -> Bool {
        passedBytes += bytes.count
        guard passedBytes <= maximumBodyBytes else {
            excess = HTTPFailure(.tooLarge, "the answer exceeds \(maximumBodyBytes) bytes")
            return false
        }
        return true
    }

    func response(status: Int) -> HTTPResponse {
        HTTPResponse(status: status, headers: headers, body: body, firstByteAt: firstByteAt)
    }

    func responseWithoutBody(status: Int) -> HTTPResponse {
        var response = response(status: status)
        response.body = []
        response.isBodyDropped = true
        return response
    }

    private mutating func keep(_ line: UnsafeRawBufferPointer) {
        guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { return }
        let name = String(decoding: line[..<colon], as: UTF8.self).lowercased()
        let value = line[(colon + 1)...].trimmingBlanks()
        headers[name] = String(decoding: value, as: UTF8.self)
    }
}

extension Slice<UnsafeRawBufferPointer> {
    fileprivate func trimmingBlanks() -> Self {
        let isBlank = { (byte: UInt8) in byte <= 0x20 }
        guard let last = lastIndex(where: { !isBlank($0) }) else { return self[startIndex..<startIndex] }
        return self[...last].drop(while: isBlank)
    }
}
