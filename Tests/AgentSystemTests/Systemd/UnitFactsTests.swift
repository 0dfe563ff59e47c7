internal import AgentCore
internal import Testing

@testable internal import AgentSystem

@Suite struct UnitFactsTests {
    @Test("A unit's status is read from the door's lines, its start on the boot clock")
    func status() {
        let lines = [
            "Result=success", "InvocationID=08485b1c6c914fb8b21a65ea96d1f984", "MainPID=113",
            "ControlGroup=/system.slice/crosslogic-engine.service", "ActiveState=active",
            "ExecMainStartTimestampMonotonic=14148271077",
        ]
        let status = UnitStatus(lines, suspended: 5_000)
        #expect(status.isThere)
        #expect(status.mainPID == 113)
        #expect(status.controlGroup == "/system.slice/crosslogic-engine.service")
        #expect(status.startedAt == BootInstant(nanoseconds: 14_148_271_077_000 + 5_000))
    }

    @Test("A unit that never ran is not there", arguments: [[], ["ActiveState=inactive", "MainPID=0"], ["nonsense"]])
    func nothing(lines: [String]) {
        let status = UnitStatus(lines)
        #expect(!status.isThere)
        #expect(status.mainPID == nil)
    }

    @Test(
        "How the main process ended is read from what systemd remembers",
        arguments: [
            (["ExecMainCode=1", "ExecMainStatus=3"], EngineExit.exited(code: 3)),
            (["ExecMainCode=2", "ExecMainStatus=9"], .signalled(signal: 9, coreDumped: false)),
            (["ExecMainCode=3", "ExecMainStatus=11"], .signalled(signal: 11, coreDumped: true)),
            (["ExecMainCode=0", "ExecMainStatus=0"], nil),
            ([], nil),
        ] as [([String], EngineExit?)])
    func remembered(lines: [String], exit: EngineExit?) {
        #expect(UnitStatus(lines).exit == exit)
    }

    @Test("Every way to end is read from the record")
    func records() throws {
        let killed = try #require(
            ExitRecord(
                #"{"invocation":"a1","result":"oom-kill","code":"killed","status":"KILL","oom_kill":3,"#
                    + #""memory_peak":157286400,"left":0}"# + "\n"))
        #expect(killed.exit == .signalled(signal: 9, coreDumped: false))
        #expect(killed.memoryPeak == 157_286_400)
        #expect(killed.result == "oom-kill")
        let exited = try #require(
            ExitRecord(#"{"invocation":"a1","result":"exit-code","code":"exited","status":"3","left":2}"#))
        #expect(exited.exit == .exited(code: 3))
        #expect(exited.left == 2)
        #expect(exited.memoryPeak == nil)
        let dumped = try #require(
            ExitRecord(#"{"invocation":"a1","result":"core-dump","code":"dumped","status":"SEGV"}"#))
        #expect(dumped.exit == .signalled(signal: 11, coreDumped: true))
    }

    @Test("What is no record is none", arguments: ["", "{}", "{", "null", #"{"invocation":"a1"}"#, #"{"a"}"#])
    func noRecord(text: String) {
        #expect(ExitRecord(text) == nil)
    }

    @Test("Processes are read from pairs of lines; a half of one is none")
    func processes() {
        let stat = { (pid: Int, name: String) in
            "\(pid) (\(name)) S 1 \(pid) \(pid) 0 -1 0 0 0 0 0 7 3 0 0 20 0 1 0 555 0 12 0"
        }
        let lines = [
            stat(10, "simulated-vllm"), "/opt/vllm serve ", stat(11, "VLLM::EngineCor"), "VLLM::EngineCore   ",
            stat(12, "VLLM) S 1 (x"), "", stat(13, "cut"),
        ]
        let found = UnitLooks.parse(lines, pageSize: 4096).map(\.1)
        #expect(found.map(\.pid) == [10, 11, 12])
        #expect(found.map(\.title) == ["/opt/vllm serve", "VLLM::EngineCore", "VLLM) S 1 (x"])
        #expect(found[0].cpuTicks == 10)
        #expect(found[0].residentBytes == 12 * 4096)
    }
}
