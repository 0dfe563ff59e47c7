internal import AgentCore
internal import AgentSystem
internal import AgentTestKit
internal import Glibc
internal import Testing

/// A shell script in the engine's place, its host, and what both say.
final class EngineUnderTest {
    let folder: TemporaryFolder
    let host: ChildEngineHost
    private var log: (any EngineLogFollower)?
    private var logText = ""
    private var events: AsyncStream<EngineHostEvent>.AsyncIterator?

    init(folder: TemporaryFolder = TemporaryFolder()) {
        self.folder = folder
        host = ChildEngineHost(record: folder.file("engine"), clocks: LinuxClocks())
    }

    var logPath: String { folder.file("vllm.log") }

    func launch(_ executable: String, _ arguments: [String]) -> EngineLaunch {
        EngineLaunch(
            executable: executable, arguments: arguments,
            environment: [EnvironmentVariable("PATH", "/usr/bin:/bin")], logPath: logPath,
            workingDirectory: folder.path)
    }

    /// Starts a script and returns the pid of its shell.
    func start(script: String) async throws -> Int32 {
        try await start(launch("/bin/bash", ["-c", script]))
    }

    func start(_ launch: EngineLaunch) async throws -> Int32 {
        log = try InotifyLogSource().follow(logPath)
        events = host.run(launch).makeAsyncIterator()
        guard case .started(let pid, _) = await event() else { throw NotStarted() }
        return pid
    }

    /// The next event of the engine as a whole.
    func event() async -> EngineHostEvent? {
        while let event = await events?.next(isolation: #isolation) {
            if case .processEnded = event { continue }
            return event
        }
        return nil
    }

    /// The next worker that ended.
    func endedProcess() async -> EngineProcess? {
        guard case .processEnded(let process, _) = await events?.next(isolation: #isolation) else { return nil }
        return process
    }

    /// The number after `word=` in the engine's log, once it is there with its line end.
    func number(_ word: String) async -> Int32 {
        while true {
            if let start = logText.range(of: "\(word)="), let end = logText[start.upperBound...].firstIndex(of: "\n") {
                return Int32(logText[start.upperBound..<end]) ?? -1
            }
            guard let chunk = await log?.next() else { return -1 }
            logText += String(decoding: chunk, as: UTF8.self)
        }
    }

    /// The exit, without its time.
    func exit() async -> EngineExit? {
        guard case .exited(let exit, _) = await event() else { return nil }
        return exit
    }

    func isGone() async -> Bool {
        guard case .gone = await event() else { return false }
        return await event() == nil
    }

    struct NotStarted: Error {}
}

/// Whether the pid is taken, by a zombie too.
func exists(_ pid: Int32) -> Bool {
    kill(pid, 0) == 0
}

extension String {
    /// Foundation's, without Foundation.
    fileprivate func range(of text: String) -> Range<Index>? {
        indices.first { self[$0...].hasPrefix(text) }.map { $0..<index($0, offsetBy: text.count) }
    }
}
