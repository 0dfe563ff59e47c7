internal import AgentCore
internal import AgentSystem
internal import AgentTestKit
internal import Glibc
internal import Testing

extension EngineHostSuite {
    @Suite struct DescriptorLeakTests {
        @Test("After 200 engines and 50 failed starts the agent holds as many descriptors as after one")
        func rounds() async {
            let folder = TemporaryFolder()
            // In a process of its own, where no other test opens descriptors.
            await #expect(processExitsWith: .success) { [path = folder.path as String] in
                let host = ChildEngineHost(record: "\(path)/engine", clocks: LinuxClocks())
                await runEngine(host, path, "sleep 1000 & sleep 1000 &")
                let before = links(of: getpid())
                for _ in 0..<200 { await runEngine(host, path, "sleep 1000 & exit 1") }
                for _ in 0..<50 { await runEngine(host, "\(path)/nowhere", "") }
                let after = links(of: getpid())
                if after.count != before.count { fatalError("before: \(before)\nafter: \(after)") }
            }
        }
    }
}

private func runEngine(_ host: ChildEngineHost, _ path: String, _ script: String) async {
    let launch = EngineLaunch(
        executable: "/bin/sh", arguments: ["-c", script], environment: [], logPath: "\(path)/vllm.log",
        workingDirectory: path)
    for await event in host.run(launch) {
        if case .exited = event { host.killAll() }
    }
}
