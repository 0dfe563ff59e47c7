internal import AgentWire
internal import Hummingbird
internal import NIOCore

extension Request {
    /// Bytes; no document of this contract comes near.
    static let maximumBodyBytes = 1 << 20

    /// The body as one JSON document, bounded in bytes and in depth before it is parsed.
    /// - Throws: `Problem` 413 or 400.
    func json() async throws -> JSONValue {
        let limit = Self.maximumBodyBytes
        if let announced = headers[.contentLength].flatMap(Int.init), announced > limit {
            throw Problem.contentTooLarge(limit: limit)
        }
        let buffer: ByteBuffer
        do {
            buffer = try await body.collect(upTo: limit)
        } catch is NIOTooManyBytesError {
            throw Problem.contentTooLarge(limit: limit)
        }
        let bytes = Array(buffer.readableBytesView)
        guard JSONDepth.isWithinLimit(bytes) else {
            throw Problem.badRequest("the body nests deeper than \(JSONDepth.maximum) levels")
        }
        do {
            return try JSONValue.parse(bytes)
        } catch {
            throw Problem.badRequest(error.reason)
        }
    }

    /// The media type alone, in lower case; empty where there is none.
    var mediaType: String {
        let type = (headers[.contentType] ?? "").prefix { $0 != ";" && $0 != " " }
        return type.lowercased()
    }
}
