internal import AgentCore
internal import AgentSystem
internal import AgentTestKit
internal import Glibc
internal import Testing

/// Signals concern a whole process, so each test runs in one of its own.
@Suite(.timeLimit(.minutes(1)))
struct SignalEventsTests {
    @Test("Each signal arrives as its event, one that came before anybody listened too")
    func delivery() async {
        await #expect(processExitsWith: .success) {
            let signals = try SignalEvents.install()
            kill(getpid(), SIGUSR2)
            var iterator = signals.makeAsyncIterator()
            #expect(await iterator.next() == .restart)
            for (number, event) in [
                (SIGTERM, AgentSignal.terminate), (SIGINT, .interrupt), (SIGHUP, .reload), (SIGUSR2, .restart),
            ] {
                kill(getpid(), number)
                #expect(await iterator.next() == event)
            }
        }
    }

    @Test("A storm of one signal neither drowns another nor piles up")
    func storm() async {
        await #expect(processExitsWith: .success) {
            let signals = try SignalEvents.install()
            for _ in 0..<100_000 { kill(getpid(), SIGHUP) }
            kill(getpid(), SIGTERM)
            var seen: [AgentSignal] = []
            for await signal in signals {
                seen.append(signal)
                if signal == .terminate { break }
            }
            #expect(seen.count <= 2)
        }
    }

    @Test("A signal that the parent had blocked is caught all the same")
    func blocked() async {
        await #expect(processExitsWith: .success) {
            var mask = sigset_t()
            sigemptyset(&mask)
            sigaddset(&mask, SIGTERM)
            pthread_sigmask(SIG_BLOCK, &mask, nil)
            var iterator = try SignalEvents.install().makeAsyncIterator()
            kill(getpid(), SIGTERM)
            #expect(await iterator.next() == .terminate)
        }
    }

    @Test("Writing to a reader that hung up is an error and not the end")
    func brokenPipe() async {
        await #expect(processExitsWith: .success) {
            _ = try SignalEvents.install()
            var ends: [Int32] = [0, 0]
            pipe(&ends)
            close(ends[0])
            #expect(write(ends[1], "x", 1) == -1)
            #expect(errno == EPIPE)
        }
    }
}

extension EngineHostSuite {
    @Suite struct InheritedSignalTests {
        @Test("An engine inherits nothing of the agent's signal handling")
        func engine() async {
            let folder = TemporaryFolder()
            await #expect(processExitsWith: .success) { [path = folder.path as String] in
                _ = try SignalEvents.install()
                let host = ChildEngineHost(record: "\(path)/engine", clocks: LinuxClocks())
                let launch = EngineLaunch(
                    executable: "/bin/sed", arguments: ["-n", "/^Sig[BIC]/p", "/proc/self/status"], environment: [],
                    logPath: "\(path)/log", workingDirectory: path)
                for await _ in host.run(launch) {}
                let log = contents("\(path)/log")
                #expect(log.split(separator: "\n").count == 3)
                #expect(log.split(separator: "\n").allSatisfy { $0.hasSuffix("\t0000000000000000") }, "\(log)")
            }
        }
    }
}
