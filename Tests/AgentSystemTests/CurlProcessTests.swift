internal import AgentCore
internal import AgentSystem
internal import AgentTestKit
internal import Glibc
internal import Testing

/// What concerns the whole process, in processes of their own.
@Suite("libcurl client: environment and descriptors", .timeLimit(.minutes(1)))
struct CurlProcessTests {
    @Test("proxies of the environment are used where the request allows it, and only there")
    func proxies() async {
        await #expect(processExitsWith: .success) {
            let proxy = MisbehavingHTTPServer(.readRequest, .send(HTTPTestText.ok))
            for name in ["http_proxy", "all_proxy", "ALL_PROXY"] { setenv(name, proxy.url, 1) }
            unsetenv("no_proxy")
            unsetenv("NO_PROXY")
            try await withCurl(MisbehavingHTTPServer(.readRequest, .send(HTTPTestText.ok))) { server, client in
                _ = try await client.get(server.url)
                #expect(server.connectionCount == 1)
                #expect(proxy.connectionCount == 0)
                var request = HTTPRequest(.get, server.url, timeout: .seconds(20))
                request.mayUseProxy = true
                _ = try await client.send(request)
                #expect(server.connectionCount == 1)
                #expect(proxy.requests.first?.hasPrefix("GET \(server.url) HTTP/1.1\r\n") == true)
            }
        }
    }

    @Test("every descriptor of the client's is close-on-exec, and closing gives its sockets back")
    func descriptors() async {
        await #expect(processExitsWith: .success) {
            let server = MisbehavingHTTPServer(.readRequest, .send(HTTPTestText.ok), .hold)
            let before = OpenDescriptor.all()
            let client = CurlHTTPClient()
            _ = try await client.get(server.url)
            #expect(await server.reaches(.requestRead(connection: 0)))
            let sockets = OpenDescriptor.all().filter { $0.target.hasPrefix("socket:") }
            // The listener, both ends of the connection, and the two of the wake-up pair or its one eventfd.
            #expect(sockets.count >= 3)
            let inheritable = OpenDescriptor.all().filter { !$0.isCloseOnExec && !before.contains($0) }
            #expect(inheritable == [], "\(inheritable)")
            await client.close()
            server.stop()
            for await _ in server.facts {}
            let known = Set(before.map(\.target))
            let after = OpenDescriptor.all().filter { $0.target.hasPrefix("socket:") && !known.contains($0.target) }
            #expect(after == [], "\(after)")
        }
    }

    @Test("an idle client and one that waits for an answer use no processor time")
    func idle() async {
        await #expect(processExitsWith: .success) {
            let server = MisbehavingHTTPServer(.readRequest, .send(HTTPTestText.ok), .readRequest, .hold)
            let client = CurlHTTPClient()
            _ = try await client.get(server.url)
            var before = rusage()
            getrusage(Int32(RUSAGE_SELF.rawValue), &before)
            let failure = await client.failure(server.url, timeout: .seconds(2))
            #expect(failure?.kind == .timeout)
            var after = rusage()
            getrusage(Int32(RUSAGE_SELF.rawValue), &after)
            // A loop that does not sleep makes thousands of switches, or none and two seconds of processor time.
            #expect(after.ru_nvcsw - before.ru_nvcsw < 100)
            #expect(after.ru_utime.tv_sec + after.ru_stime.tv_sec - before.ru_utime.tv_sec - before.ru_stime.tv_sec < 1)
            await client.close()
            server.stop()
        }
    }
}
