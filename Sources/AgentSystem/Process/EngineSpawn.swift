internal import AgentCore
internal import CLinux
internal import Glibc

/// Executes the engine and puts a refusal into words that fix it.
enum EngineSpawn {
    /// `held` is called with the process that is to become the engine, while it executes nothing yet. Whatever ends this
    /// process before it has returned ends that one too: no engine runs that is not written down.
    ///
    /// Blocks until execve has happened or failed, which a slow disk can draw out: not for the cooperative pool.
    static func start(
        _ launch: EngineLaunch, held: (ProcessHandle) -> Void = { _ in }
    ) throws(EngineStartFailure) -> ProcessHandle {
        var child = try fork(launch)
        let channel = Descriptor(owning: child.channel)
        let main = try hold(child.pid)
        held(main)
        let code = withExtendedLifetime(channel) { clinux_execute(&child) }
        guard code == 0 else {
            _ = waitpid(main.pid, nil, 0)
            throw refusal(launch, code)
        }
        return main
    }

    private static func fork(_ launch: EngineLaunch) throws(EngineStartFailure) -> clinux_child {
        try check(launch)
        let log = try EngineLogFile.openForEngine(launch.logPath)
        let folder = try openFolder(launch.workingDirectory)
        let arguments = CStringArray([launch.executable] + launch.arguments)
        let environment = CStringArray(launch.environment.map { "\($0.name)=\($0.value.reveal())" })
        var child = clinux_child()
        let code = launch.executable.withCString { path in
            var request = clinux_spawn_request(
                path: path, arguments: arguments.pointers, environment: environment.pointers,
                working_directory: folder.number, output: log.number)
            return withExtendedLifetime((log, folder)) { clinux_fork_held(&request, &child) }
        }
        guard code == 0 else { throw refusal(launch, code) }
        return child
    }

    private static func check(_ launch: EngineLaunch) throws(EngineStartFailure) {
        guard launch.executable.hasPrefix("/") else {
            throw EngineStartFailure(
                .engineMissing, "\(launch.executable) is not an absolute path; give the full path of the vllm program")
        }
        // C strings end at the first NUL: the engine would silently get something else than was asked for.
        for text in [launch.executable] + launch.arguments where text.utf8.contains(0) {
            throw EngineStartFailure(.badFlag, "an argument of the engine holds a NUL byte: \(text.debugDescription)")
        }
        for variable in launch.environment {
            let isWhole = !variable.name.isEmpty && !variable.name.utf8.contains { $0 == 0 || $0 == UInt8(ascii: "=") }
            guard isWhole, !variable.value.reveal().utf8.contains(0) else {
                throw EngineStartFailure(
                    .badFlag,
                    "the environment variable \(variable.name.debugDescription) cannot be handed to the engine: "
                        + "a name may hold neither `=` nor NUL, a value no NUL")
            }
        }
    }

    private static func openFolder(_ path: String) throws(EngineStartFailure) -> Descriptor {
        do throws(SystemError) {
            return try Descriptor.open(path, O_RDONLY | O_DIRECTORY).aboveStandardStreams()
        } catch {
            throw EngineStartFailure(
                .localStorage, "cannot use \(path) as the engine's working directory: \(error.reason); create it")
        }
    }

    /// The child is not reaped, so its pid is its own until we let go of it.
    private static func hold(_ pid: pid_t) throws(EngineStartFailure) -> ProcessHandle {
        switch ProcessHandle.open(pid: pid) {
        case .opened(let handle):
            return handle
        case .gone:
            throw EngineStartFailure(.unknown, "somebody else in this agent reaped the engine's pid \(pid)")
        case .failed(let error):
            // An engine that cannot be watched must not run.
            _ = kill(pid, SIGKILL)
            _ = waitpid(pid, nil, 0)
            throw EngineStartFailure(.unknown, "cannot watch the engine: \(error.operation): \(error.reason)")
        }
    }

    private static func refusal(_ launch: EngineLaunch, _ code: Int32) -> EngineStartFailure {
        let path = launch.executable
        let reason = SystemError(operation: "execve", code: code).reason
        switch code {
        case ENOENT where FileKind(at: path) != nil:
            return EngineStartFailure(.engineMissing, brokenProgram(path))
        case ENOENT, ENOTDIR, ELOOP:
            return EngineStartFailure(
                .engineMissing, "there is no \(path) (\(reason)); install vLLM there or set the right path")
        case EACCES, EPERM:
            return EngineStartFailure(
                .engineMissing,
                "\(path) may not be executed (\(reason)); make it an executable file on a file system without noexec")
        case ENOEXEC:
            return EngineStartFailure(
                .engineMissing, "\(path) is not a program for this machine (\(reason)); install vLLM again")
        case E2BIG:
            return EngineStartFailure(
                .badFlag, "the arguments and environment of \(path) are longer than the kernel allows; shorten them")
        case ENOMEM:
            return EngineStartFailure(.hostOutOfMemory, "no memory to start \(path); free memory on this machine")
        case EAGAIN:
            return EngineStartFailure(
                .unknown, "\(path) was not started: the limit on processes is reached; raise TasksMax or ulimit -u")
        default:
            return EngineStartFailure(.unknown, "\(path) was not started: \(reason)")
        }
    }

    /// ENOENT for a file that is there: a dangling link, or the interpreter named in its first line is missing, as
    /// after a virtual environment was moved.
    private static func brokenProgram(_ path: String) -> String {
        let bytes = (try? Descriptor.open(path, O_RDONLY | O_NONBLOCK).read(upTo: 256, at: 0)) ?? []
        let line = String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
        guard line.hasPrefix("#!") else {
            return "\(path) leads to a file or a loader that does not exist; install vLLM again"
        }
        return "\(path) cannot run: its interpreter \(line.dropFirst(2)) does not exist; create the environment again"
    }
}
