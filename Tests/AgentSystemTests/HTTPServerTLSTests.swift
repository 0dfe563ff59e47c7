internal import AgentCore
internal import AgentSystem
internal import AgentTestKit
internal import Glibc
internal import Testing

@Suite("heartbeat server: TLS", .timeLimit(.minutes(1)))
struct HTTPServerTLSTests {
    private let folder = TemporaryFolder()

    @Test("a client that trusts the authority is answered, a large answer in full")
    func exchange() async throws {
        let (files, authority) = try certificate()
        try await HTTPServerUnderTest.run(bodyBytes: 200 << 10, tls: files) { server in
            let response = try await get(server, trusting: authority)
            #expect(response.status == 200)
            #expect(response.body.count == 200 << 10)
            #expect(Set(response.body) == [0x61])
        }
    }

    @Test("a client that trusts another authority turns away, and the next one is served")
    func otherAuthority() async throws {
        let (files, authority) = try certificate()
        let other = try TestCertificate.make(in: folder.path, name: "other").certificateFile
        try await HTTPServerUnderTest.run(tls: files) { server in
            #expect(await failure(server, trusting: other)?.kind == .tls)
            #expect(server.requests == [])
            #expect(await failure(server, trusting: authority) == nil)
        }
    }

    @Test("a request in the clear is told to use https, and reaches nobody")
    func plaintext() async throws {
        let (files, _) = try certificate()
        try await HTTPServerUnderTest.run(tls: files) { server in
            let client = try server.connect()
            client.send("GET / HTTP/1.1\r\nhost: h\r\n\r\n")
            let answer = await client.readToEnd()
            #expect(answer.answerStatus == 400)
            #expect(answer.contains("this port speaks TLS: use https"))
            #expect(server.requests == [])
        }
    }

    @Test("a client that can only do TLS 1.1 gets the alert for that")
    func oldVersion() async throws {
        let (files, _) = try certificate()
        try await HTTPServerUnderTest.run(tls: files) { server in
            let client = try server.connect()
            client.send(Self.hello(version: [3, 2]))
            // RFC 8446 §6: record 21, level fatal (2), protocol_version (70).
            let answer = Array(await client.readToEnd().utf8)
            #expect(answer.first == 21)
            #expect(answer.suffix(2) == [2, 70])
        }
    }

    @Test(
        "a handshake that does not go on is over when its time is",
        arguments: [
            [], [22], Array(hello(version: [3, 3]).prefix(30)),
            [22, 3, 1, 0x40, 0] + [UInt8](repeating: 1, count: 900),
        ])
    func stalledHandshake(beginning: [UInt8]) async throws {
        let (files, _) = try certificate()
        var limits = HeartbeatServerLimits()
        limits.idleTimeout = .milliseconds(300)
        try await HTTPServerUnderTest.run(limits: limits, tls: files) { server in
            let client = try server.connect()
            client.send(beginning)
            #expect(await client.isHungUp())
        }
    }

    @Test("ten stalled handshakes for every place keep nobody out")
    func stalledCrowd() async throws {
        let (files, authority) = try certificate()
        let limits = HeartbeatServerLimits.places(4)
        try await HTTPServerUnderTest.run(limits: limits, tls: files) { server in
            var crowd: [RawTCPClient] = []
            for _ in 0..<40 {
                let client = try server.connect()
                client.send(Array(Self.hello(version: [3, 3]).prefix(30)))
                crowd.append(client)
            }
            #expect(await failure(server, trusting: authority) == nil)
            for client in crowd.prefix(36) { #expect(await client.isHungUp()) }
        }
    }

    @Test("without a certificate it is said once, clients are hung up on, and one that comes is taken")
    func certificateComesLater() async throws {
        let files = TLSFiles(certificate: folder.file("late.pem"), key: folder.file("late.key"))
        try await HTTPServerUnderTest.run(tls: files) { server in
            let complaint = await server.complaints.first { _ in true }
            #expect(complaint?.contains("\(files.certificate): ") == true)
            #expect(complaint?.contains("nobody can connect") == true)
            let client = try server.connect()
            #expect(await client.readToEnd() == "")
            let authority = try TestCertificate.make(in: folder.path, name: "late").certificateFile
            while await failure(server, trusting: authority) != nil {}
        }
    }

    @Test("a renewed certificate is shown without a restart, and half a renewal changes nothing")
    func renewal() async throws {
        let (files, old) = try certificate()
        let next = try TestCertificate.make(in: folder.path, name: "next")
        let kept = folder.file("kept.pem")
        try copy(old, kept)
        try await HTTPServerUnderTest.run(tls: files) { server in
            #expect(await failure(server, trusting: kept) == nil)
            try copy(next.certificateFile, files.certificate)
            // Said at the second look at the same files, which come with connections.
            let complaints = server.complaints
            await withTaskGroup(of: Void.self) { group in
                group.addTask {
                    while !Task.isCancelled {
                        let failure = await failure(server, trusting: kept)
                        #expect(failure == nil || Task.isCancelled)
                    }
                }
                let complaint = await complaints.first { _ in true }
                #expect(complaint?.contains("the one before stays in use") == true)
                group.cancelAll()
            }
            try copy(next.keyFile, files.key)
            while await failure(server, trusting: next.certificateFile) != nil {}
            #expect(await failure(server, trusting: kept)?.kind == .tls)
        }
    }

    private func certificate() throws -> (files: TLSFiles, authority: String) {
        let made = try TestCertificate.make(in: folder.path)
        return (TLSFiles(certificate: made.certificateFile, key: made.keyFile), made.certificateFile)
    }

    /// Over the old content, and not all at once: as a copy does it.
    private func copy(_ from: String, _ to: String) throws {
        let text = try #require(folder.text(of: String(from.dropFirst(folder.path.count + 1))))
        folder.write(text, to: String(to.dropFirst(folder.path.count + 1)))
    }

    private func get(_ server: HTTPServerUnderTest, trusting authority: String) async throws -> HTTPResponse {
        let client = CurlHTTPClient(certificateAuthorityFile: authority)
        do {
            let response = try await client.get("https://127.0.0.1:\(server.port)/")
            await client.close()
            return response
        } catch {
            await client.close()
            throw error
        }
    }

    private func failure(_ server: HTTPServerUnderTest, trusting authority: String) async -> HTTPFailure? {
        let client = CurlHTTPClient(certificateAuthorityFile: authority)
        let failure = await client.failure("https://127.0.0.1:\(server.port)/")
        await client.close()
        return failure
    }

    /// RFC 5246 §7.4.1.2, without extensions: that version at most, and one suite.
    private static func hello(version: [UInt8]) -> [UInt8] {
        let body = version + [UInt8](repeating: 7, count: 32) + [0, 0, 2, 0xc0, 0x13, 1, 0]
        let handshake = [1, 0, 0, UInt8(body.count)] + body
        return [22, 3, 1, 0, UInt8(handshake.count)] + handshake
    }
}
