internal import AgentCore
internal import AgentRuntime
internal import Testing

@Suite struct AgentSettingsTests {
    private static let required = [
        "CROSSLOGIC_CONTROL_PLANE_URL": "http://control.test", "CROSSLOGIC_NODE_ID": "node-1",
        "CROSSLOGIC_NODE_TOKEN": "token", "CROSSLOGIC_HEARTBEAT_TOKEN": "heartbeat-token",
    ]

    /// Names of the settings that are at fault.
    private func faults(_ name: String, _ value: String) -> [String] {
        do throws(SettingsFaults) {
            _ = try AgentSettings(
                environment: Self.required.merging([name: value]) { _, new in new }, tokenFile: nil)
            return []
        } catch {
            return error.faults.map(\.field)
        }
    }

    @Test(
        "An address that is not an IP address is refused: nobody would listen there",
        arguments: [
            "localhost:9400", "node.example.com:9400", "127.1:9400", "127.0.0.1.evil:9400", ":9400", "[fe80:9400",
        ])
    func heartbeatNames(value: String) {
        #expect(faults("CROSSLOGIC_HEARTBEAT_LISTEN", value) == ["CROSSLOGIC_HEARTBEAT_LISTEN"])
    }

    @Test("IP addresses are taken", arguments: ["127.0.0.1:0", "0.0.0.0:9400", "[::1]:9400", "10.0.0.7:9400"])
    func heartbeatAddresses(value: String) {
        #expect(faults("CROSSLOGIC_HEARTBEAT_LISTEN", value) == [])
    }

    @Test("The heartbeat's certificate and key come together, as absolute paths")
    func heartbeatCertificate() throws {
        let (certificate, key) = ("CROSSLOGIC_HEARTBEAT_TLS_CERTIFICATE", "CROSSLOGIC_HEARTBEAT_TLS_KEY")
        #expect(faults(certificate, "/a.pem") == [key])
        #expect(faults(key, "/a.key") == [certificate])
        #expect(faults(key, "a.key") == [key, certificate])
        let both = Self.required.merging([certificate: "/a.pem", key: "/a.key"]) { _, new in new }
        let settings = try AgentSettings(environment: both, tokenFile: nil)
        #expect(settings.heartbeatCertificate?.certificateFile == "/a.pem")
        #expect(settings.heartbeatCertificate?.keyFile == "/a.key")
    }

    @Test("An engine that is our child puts its sockets below our folder, where their paths are short enough")
    func engineSockets() throws {
        let long = "/run/" + String(repeating: "x", count: 48)
        for (host, folder, expected) in [
            ("child", "/run/a", "/run/a/rpc"), ("child", long, nil), ("systemd", "/run/a", nil),
        ] {
            let own = ["CROSSLOGIC_ENGINE_HOST": host, "CROSSLOGIC_RUNTIME_DIR": folder]
            let settings = try AgentSettings(environment: Self.required.merging(own) { $1 }, tokenFile: nil)
            #expect(settings.engineSockets == expected)
        }
    }

    @Test("With systemd the log is where the engine's unit writes it, and never in a /tmp that the agent has to itself")
    func engineLog() throws {
        let unit = "/var/log/crosslogic/vllm.log"
        for (host, path, expected, isFault) in [
            (.child, nil, "/tmp/vllm.log", false), (.child, "/tmp/a.log", "/tmp/a.log", false),
            (.systemd, nil, unit, false), (.systemd, "/tmp/vllm.log", unit, false),
            (.systemd, "/srv/a", "/srv/a", false),
            (.systemd, "/tmp/a.log", "/tmp/a.log", true), (.systemd, "/var/tmp/a.log", "/var/tmp/a.log", true),
        ] as [(AgentSettings.EngineHostChoice, String?, String, Bool)] {
            let own = path.map { ["CROSSLOGIC_ENGINE_LOG": $0] } ?? [:]
            var settings = try AgentSettings(environment: Self.required.merging(own) { $1 }, tokenFile: nil)
            let fault = settings.choose(engineHost: host)
            #expect(settings.engineHost == host)
            #expect(settings.engineLog == expected)
            #expect(fault?.field == (isFault ? "CROSSLOGIC_ENGINE_LOG" : nil))
        }
    }

    @Test("The engine's address is an IP address, the authority's file an absolute path")
    func otherFormats() {
        #expect(faults("CROSSLOGIC_ENGINE_ADDRESS", "localhost") == ["CROSSLOGIC_ENGINE_ADDRESS"])
        #expect(faults("CROSSLOGIC_ENGINE_ADDRESS", "::") == [])
        #expect(faults("CROSSLOGIC_CA_FILE", "ca.pem") == ["CROSSLOGIC_CA_FILE"])
        #expect(faults("CROSSLOGIC_CA_FILE", "/etc/ca.pem") == [])
    }

    @Test("A checkpoint is kept after some seconds, or not at all", arguments: ["off", "0", "0.2", "20", "3600", ""])
    func checkpoint(value: String) {
        #expect(faults("CROSSLOGIC_CHECKPOINT", value) == [])
    }

    @Test(
        "What the launcher would not read as seconds is refused where an operator sees it",
        arguments: ["on", "Off", "-1", "3600.1", "20s", " 20", "1e3", "0x10", "nan", "inf", ".", "1_0", "1.2.3"])
    func badCheckpoint(value: String) throws {
        let name = "CROSSLOGIC_CHECKPOINT"
        #expect(faults(name, value) == [name])
        let error = try #require(throws: SettingsFaults.self) {
            _ = try AgentSettings(environment: Self.required.merging([name: value]) { $1 }, tokenFile: nil)
        }
        #expect(error.faults.first?.problem == "is \"\(value)\", must be off or seconds from 0 to 3600")
    }

    @Test(
        "The node's own arguments may not leak a secret or move the engine from where the agent looks",
        arguments: [
            "--api-key x", "--hf-token=x", "--port 9", "--host 1.2.3.4", "--uds /run/x", "--model m", "--config f",
            "--served-model-name m", "--ssl-keyfile k", "--enforce-eager --api_key=x",
        ])
    func reservedArguments(value: String) {
        #expect(faults("CROSSLOGIC_ENGINE_ARGS", value) == ["CROSSLOGIC_ENGINE_ARGS"])
    }

    @Test("What only tunes this node's engine is the node's to say")
    func nodeArguments() {
        #expect(faults("CROSSLOGIC_ENGINE_ARGS", "--enforce-eager --max-model-len 512 --dtype=float32") == [])
    }
}
