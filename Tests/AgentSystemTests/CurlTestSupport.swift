internal import AgentCore
internal import AgentSystem
internal import AgentTestKit
internal import Glibc
internal import Testing

struct CurlTestClocks: Clocks {
    func now() -> BootInstant {
        var time = timespec()
        clock_gettime(CLOCK_BOOTTIME, &time)
        return BootInstant(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }

    func wallTime() -> Double { 0 }
}

extension CurlHTTPClient {
    convenience init(certificateAuthorityFile: String? = nil) {
        let settings = CurlSettings(
            userAgent: "crosslogic-node-agent/0.0.0-test", certificateAuthorityFile: certificateAuthorityFile)
        self.init(settings: settings, clocks: CurlTestClocks())
    }

    func get(_ url: String) async throws(HTTPFailure) -> HTTPResponse {
        try await send(HTTPRequest(.get, url, timeout: .seconds(20)))
    }

    func failure(of request: HTTPRequest) async -> HTTPFailure? {
        do throws(HTTPFailure) {
            _ = try await send(request)
            return nil
        } catch {
            return error
        }
    }

    func failure(_ url: String, timeout: Duration = .seconds(20)) async -> HTTPFailure? {
        await failure(of: HTTPRequest(.get, url, timeout: timeout))
    }
}

/// A server and a client for one test; both are gone when it ends, whatever happened.
func withCurl<Value>(
    _ server: MisbehavingHTTPServer,
    _ body: (MisbehavingHTTPServer, CurlHTTPClient) async throws -> Value
) async throws -> Value {
    let client = CurlHTTPClient()
    defer { server.stop() }
    do {
        let value = try await body(server, client)
        await client.close()
        return value
    } catch {
        await client.close()
        throw error
    }
}

enum HTTPTestText {
    static let ok = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
}
