internal import AgentSystem
internal import AgentTestKit
internal import Locking

/// A running server for one test. Its handler answers with what it was asked, and remembers it.
final class HTTPServerUnderTest: Sendable {
    let server: HeartbeatServer
    let port: UInt16
    private let log: RequestLog

    private final class RequestLog: Sendable {
        let requests = Mutex<[ServerRequest]>([])
    }

    /// What the server said of its certificate.
    let complaints: AsyncStream<String>

    private init(_ limits: HeartbeatServerLimits, bodyBytes: Int?, tls: TLSFiles?) async throws {
        let log = RequestLog()
        self.log = log
        let complaint: AsyncStream<String>.Continuation
        (complaints, complaint) = AsyncStream.makeStream()
        server = HeartbeatServer(
            host: "127.0.0.1", port: 0, limits: limits, tls: tls, complain: { complaint.yield($0) }
        ) { request in
            log.requests.withLock { $0.append(request) }
            let body = bodyBytes.map { [UInt8](repeating: 0x61, count: $0) } ?? Array(request.path.utf8)
            let method = ServerReply.Header("x-method", request.method.rawValue)
            return ServerReply(status: 200, contentType: "text/plain", body: body, headers: [method])
        }
        port = try await server.start()
    }

    var requests: [ServerRequest] { log.requests.withLock { $0 } }

    func connect() throws -> RawTCPClient {
        guard let client = RawTCPClient(port: port) else { throw NobodyListens() }
        return client
    }

    struct NobodyListens: Error {}

    /// `bodyBytes`: the length of every answer; nil to answer with the path.
    static func run(
        limits: HeartbeatServerLimits = HeartbeatServerLimits(),
        bodyBytes: Int? = nil,
        tls: TLSFiles? = nil,
        _ body: @Sendable (HTTPServerUnderTest) async throws -> Void
    ) async throws {
        let running = try await HTTPServerUnderTest(limits, bodyBytes: bodyBytes, tls: tls)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { await running.server.run() }
            defer { group.cancelAll() }
            try await body(running)
        }
    }
}

extension String {
    /// The status code of an answer; nil for what is none.
    var answerStatus: Int? {
        guard hasPrefix("HTTP/1.1 ") else { return nil }
        return Int(dropFirst(9).prefix(3))
    }

    /// A header of an answer whose name is given in lower case.
    func answerHeader(_ name: String) -> String? {
        for line in split(separator: "\r\n").dropFirst() where line.hasPrefix("\(name): ") {
            return String(line.dropFirst(name.count + 2))
        }
        return nil
    }
}

extension HeartbeatServerLimits {
    /// For tests of who makes room: on a busy machine the clock must not.
    static func places(_ count: Int) -> HeartbeatServerLimits {
        var limits = HeartbeatServerLimits()
        limits.connections = count
        limits.idleTimeout = .seconds(600)
        return limits
    }
}
