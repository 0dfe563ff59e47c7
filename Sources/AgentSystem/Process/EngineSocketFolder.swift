internal import AgentCore
internal import Glibc

/// Where an engine's processes put the sockets they talk over. ZeroMQ removes none of a process that is killed.
struct EngineSocketFolder: Sendable {
    /// nil: wherever the engine puts them by itself.
    let path: String?

    func make() throws(EngineStartFailure) {
        guard let path, mkdir(path, 0o700) != 0, errno != EEXIST else { return }
        let reason = SystemError(operation: "mkdir", code: errno).reason
        throw EngineStartFailure(
            .localStorage,
            "cannot make \(path) for the engine's sockets: \(reason); make room, or let the agent write there")
    }

    /// Whatever is no socket stays.
    func clear() {
        guard let path, let names = try? LinuxFileStore().list(path) else { return }
        for name in names where FileKind(at: "\(path)/\(name)") == .socket { unlink("\(path)/\(name)") }
    }
}
