internal import AgentCore
internal import AgentSystem
internal import AgentTestKit
internal import Testing

@Suite("libcurl client: TLS", .timeLimit(.minutes(1)))
struct CurlTLSTests {
    @Test("a certificate that no authority of the system's has signed is refused")
    func unknownAuthority() async throws {
        let failure = try await attempt(authorityFile: { _ in nil })
        #expect(failure?.kind == .tls)
    }

    @Test("a custom authority file is trusted")
    func customAuthority() async throws {
        let failure = try await attempt(authorityFile: \.certificateFile)
        #expect(failure == nil)
    }

    @Test("a trusted certificate for another host is refused")
    func otherHost() async throws {
        let failure = try await attempt(subjectAltName: "IP:127.0.0.2", authorityFile: \.certificateFile)
        #expect(failure?.kind == .tls)
    }

    @Test("a custom authority file replaces the system's authorities, and must exist")
    func missingAuthorityFile() async throws {
        let failure = try #require(await attempt(authorityFile: { $0.certificateFile + ".missing" }))
        #expect(failure.kind == .tls)
        #expect(failure.message.contains("certificate.pem.missing"))
    }

    private func attempt(
        subjectAltName: String = "IP:127.0.0.1", authorityFile: (TLSTestServer) -> String?
    ) async throws -> HTTPFailure? {
        let server = try await TLSTestServer.start(subjectAltName: subjectAltName)
        defer { server.stop() }
        let client = CurlHTTPClient(certificateAuthorityFile: authorityFile(server))
        let failure = await client.failure("https://127.0.0.1:\(server.port)/")
        await client.close()
        return failure
    }
}
