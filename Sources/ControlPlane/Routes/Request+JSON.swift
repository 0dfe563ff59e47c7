internal import AgentWire
internal import Hummingbird
internal import NIOCore

extension Request {
    /// Bytes; no document of this contract comes near.
    static let maximumBodyBytes = 1 << 20

    /// The body as one JSON document, bounded in bytes and in depth.
    /// - Throws: `Problem` 413 or 400.
    func json(atMost limit: Int = maximumBodyBytes) async throws -> JSONValue {
        let bytes = try await bytes(atMost: limit)
        return try Self.parsed { () throws(JSONSyntaxError) in try JSONReader.parse(bytes) }
    }

    static func parsed<Value>(_ parse: () throws(JSONSyntaxError) -> Value) throws(Problem) -> Value {
        do {
            return try parse()
        } catch {
            throw Problem.badRequest(error.reason)
        }
    }

    /// - Throws: `Problem` 413.
    func bytes(atMost limit: Int) async throws -> [UInt8] {
        if let announced = headers[.contentLength].flatMap(Int.init), announced > limit {
            throw Problem.contentTooLarge(limit: limit)
        }
        do {
            return Array(try await body.collect(upTo: limit).readableBytesView)
        } catch is NIOTooManyBytesError {
            throw Problem.contentTooLarge(limit: limit)
        }
    }

    /// The media type alone, in lower case; empty where there is none.
    var mediaType: String {
        let type = (headers[.contentType] ?? "").prefix { $0 != ";" && $0 != " " }
        return type.lowercased()
    }
}
