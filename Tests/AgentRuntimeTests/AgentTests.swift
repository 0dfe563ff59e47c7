internal import AgentCore
internal import AgentRuntime
internal import AgentTestKit
internal import AgentWire
internal import Testing

@Suite(.timeLimit(.minutes(1))) struct AgentTests {
    @Test("From assignment to READY to a clean stop")
    func wholeLife() async throws {
        let rig = AgentRig()
        try await rig.run { stop in
            try await Self.serve(rig)
            let ready = try #require(await rig.events.first { $0.eventName == "ready" })
            let heartbeat = try #require(Self.heartbeat(rig))
            #expect(ready["data"]?["timings"] == heartbeat["timings"])
            #expect(heartbeat["state"] == .string("serving"))

            stop()
            #expect(await rig.service.states.first { $0.contains("STOPPING=1") } != nil)
            #expect(await rig.host.requests.first { $0 == .terminateMain } != nil)
            rig.host.tell(.exited(.exited(code: 0), at: BootInstant(nanoseconds: 0)))
            rig.host.tell(.gone(at: BootInstant(nanoseconds: 0)))
            #expect(await rig.events.first { $0.eventName == "stopped" } != nil)
        }
        let left = try rig.files.list("/var/lib/crosslogic/outbox")
        #expect(left.filter { !$0.hasSuffix(".acknowledged") } == ["reserve"])
    }

    @Test("The environment file holds the credentials, mode 0600, and is gone with the engine")
    func environmentFile() async throws {
        let rig = AgentRig()
        try await rig.run { stop in
            try await Self.start(rig)
            let path = "/run/crosslogic/engine.env"
            #expect(rig.files.text(path)?.contains("AWS_SECRET_ACCESS_KEY=\"canary-secret\"") == true)
            #expect(rig.files.mode(path) == 0o600)
            #expect(rig.files.text("/run/crosslogic/engine.argv")?.contains("canary") == false)
            stop()
            #expect(await rig.host.requests.first { $0 == .terminateMain } != nil)
            rig.host.tell(.exited(.signalled(signal: 15, coreDumped: false), at: BootInstant(nanoseconds: 0)))
            rig.host.tell(.gone(at: BootInstant(nanoseconds: 0)))
        }
        #expect(rig.files.text("/run/crosslogic/engine.env") == nil)
        #expect(!rig.log.lines.contains { $0.contains("canary") })
    }

    @Test("A stranger's server on the engine's port is reported and never READY")
    func stranger() async throws {
        let rig = AgentRig()
        try await rig.run { stop in
            try await Self.start(rig)
            rig.inspector.set([PortListener(pid: 4242, command: "nginx")])
            rig.setHealth(200)
            let failed = try #require(await rig.events.first { $0.eventName == "failed" })
            #expect(failed["data"]?["failure"]?["class"] == .string("port_in_use"))
            #expect(failed["data"]?["failure"]?["message"]?.stringValue?.contains("nginx (pid 4242)") == true)
            stop()
            rig.host.tell(.exited(.exited(code: 0), at: BootInstant(nanoseconds: 0)))
            rig.host.tell(.gone(at: BootInstant(nanoseconds: 0)))
        }
    }

    @Test("A full disk fails the start with words, and nothing is executed")
    func fullDisk() async throws {
        let rig = AgentRig()
        rig.files.setFull(true)
        try await rig.run { stop in
            let failed = try #require(await rig.events.first { $0.eventName == "failed" })
            #expect(failed["data"]?["failure"]?["class"] == .string("local_storage"))
            #expect(failed["data"]?["failure"]?["message"]?.stringValue?.contains("No space left") == true)
            stop()
        }
    }

    @Test("An impossible assignment is rejected with every fault and the agent waits for the next")
    func rejected() async throws {
        let bad = #"{"generation":1,"model":"..","model_uri":"x","dtype":"int4"}"#
        let rig = AgentRig(assignments: [.answer(200, bad), .answer(200, AgentRig.assignment(generation: 2))])
        try await rig.run { stop in
            let rejected = try #require(await rig.events.first { $0.eventName == "assignment_rejected" })
            let fields = rejected["data"]?["faults"]?.arrayValue?.compactMap { $0["field"]?.stringValue }
            #expect(Set(fields ?? []) == ["model", "model_uri", "dtype"])
            #expect(await rig.events.first { $0.eventName == "assignment_accepted" } != nil)
            #expect(await rig.host.requests.first { $0 == .run(executable: "/opt/vllm/bin/vllm") } != nil)
            stop()
            rig.host.tell(.startFailed(EngineStartFailure(.engineMissing, "gone"), at: BootInstant(nanoseconds: 0)))
        }
    }

    private static func start(_ rig: AgentRig) async throws {
        #expect(await rig.host.requests.first { $0 == .run(executable: "/opt/vllm/bin/vllm") } != nil)
        rig.host.setProcesses([.named("vllm", pid: 100)])
        rig.host.tell(.started(pid: 100, at: BootInstant(nanoseconds: 0)))
    }

    private static func serve(_ rig: AgentRig) async throws {
        try await start(rig)
        rig.inspector.set([PortListener(pid: 100, command: "vllm")])
        rig.setHealth(200)
        let ready = await rig.service.states.first { $0.contains("READY=1") }
        #expect(ready?.contains("STATUS=serving acme/tiny-llama") == true)
    }

    private static func heartbeat(_ rig: AgentRig) -> JSONValue? {
        let routes = HeartbeatRoutes(view: rig.view, clocks: SteppingClocks(), token: nil)
        return try? JSONValue.parse(routes.reply(to: "/v1/heartbeat", authorization: nil).body)
    }
}
