internal import AgentCore
internal import ControlPlane
internal import FoundationEssentials
internal import Testing

@Suite("Settings")
struct SettingsTests {
    private let documents = [
        "R2_ENDPOINT": "https://account.r2.cloudflarestorage.com", "R2_BUCKET": "models", "R2_ACCESS_KEY": "a",
        "R2_SECRET_KEY": "s", "R2_CDN_DOMAIN": "",
    ]

    private func badSettings(_ environment: [String: String], listen: String = "127.0.0.1:8080") -> [String] {
        do {
            _ = try ControlPlaneSettings(environment: environment, listen: listen)
            return []
        } catch {
            return error.faults.map(\.field)
        }
    }

    @Test("are read from the documents' names")
    func complete() throws {
        let settings = try ControlPlaneSettings(environment: documents, listen: "[::1]:0")
        #expect(settings.listen == ListenAddress(host: "::1", port: 0))
        #expect(settings.store?.bucket == "models")
        #expect(settings.store?.secretAccessKey.reveal() == "s")
        #expect(settings.store?.cdnDomain == nil)
    }

    @Test("may leave the store to the nodes, but not half of it")
    func halfAStore() throws {
        #expect(try ControlPlaneSettings(environment: [:], listen: "127.0.0.1:1").store == nil)
        #expect(badSettings(["R2_BUCKET": "b"]) == ["R2_ENDPOINT", "R2_ACCESS_KEY", "R2_SECRET_KEY"])
    }

    @Test("ask nodes for their heartbeats unless that is turned off", arguments: [nil, "on", "off", "no"])
    func heartbeats(value: String?) throws {
        let environment = value.map { ["CROSSLOGIC_ASK_HEARTBEATS": $0] } ?? [:]
        guard value != "no" else { return #expect(badSettings(environment) == ["CROSSLOGIC_ASK_HEARTBEATS"]) }
        let settings = try ControlPlaneSettings(environment: environment, listen: "127.0.0.1:1")
        #expect(settings.asksForHeartbeats == (value != "off"))
    }

    @Test("name every fault at once")
    func everyFault() {
        var environment = documents
        environment["R2_ENDPOINT"] = "account.r2.cloudflarestorage.com"
        environment["R2_BUCKET"] = "a/b"
        environment["CROSSLOGIC_ADMIN_TOKEN"] = "two words"
        #expect(
            badSettings(environment, listen: "8080")
                == ["--listen", "CROSSLOGIC_ADMIN_TOKEN", "R2_ENDPOINT", "R2_BUCKET"])
    }

    @Test(
        "need an admin token beyond loopback",
        arguments: ["0.0.0.0:80", "192.168.1.2:80", "[::]:80", "example.org:80"])
    func beyondLoopback(address: String) {
        #expect(badSettings([:], listen: address) == ["CROSSLOGIC_ADMIN_TOKEN"])
        #expect(badSettings(["CROSSLOGIC_ADMIN_TOKEN": "t"], listen: address) == [])
    }

    @Test("need none on loopback", arguments: ["127.0.0.1:0", "127.8.9.10:80", "localhost:80", "[::1]:80"])
    func loopback(address: String) {
        #expect(badSettings([:], listen: address) == [])
    }

    @Test("refuse an address that is none", arguments: ["", ":80", "host", "host:", "host:70000", "::1:80", "a b:1"])
    func badAddress(address: String) {
        #expect(badSettings([:], listen: address) == ["--listen"])
    }

    @Test("come from files too, a later one winning over an earlier one and the environment over both")
    func files() throws {
        let folder = try TemporaryFolder()
        let first = try folder.write("first.env", "R2_ENDPOINT=https://first\nR2_BUCKET=first\nR2_ACCESS_KEY=a\n")
        let second = try folder.write("second.env", "# comment\nR2_BUCKET=\"second\"\nR2_SECRET_KEY=s\n")
        let settings = try ControlPlaneSettings(
            files: [first, second], environment: ["R2_ENDPOINT": "https://process"], listen: "127.0.0.1:1")
        #expect(settings.store?.endpoint == "https://process")
        #expect(settings.store?.bucket == "second")
        #expect(settings.store?.accessKeyID.reveal() == "a")
    }

    @Test("name missing files and bad lines beside all other faults, never by content")
    func badFiles() throws {
        let folder = try TemporaryFolder()
        let file = try folder.write("bad.env", "R2_CDN_DOMAIN=x\n\(Canary.secretKey)\n9X=\(Canary.secretKey)\n")
        let error = #expect(throws: InvalidSettings.self) {
            try ControlPlaneSettings(files: ["/nowhere/file", file], environment: [:], listen: "nowhere")
        }
        #expect(error?.faults.map(\.field) == ["/nowhere/file", "\(file), line 2", "\(file), line 3", "--listen"])
        #expect(error?.messages.contains { $0.contains("CANARY") } == false)
    }
}
