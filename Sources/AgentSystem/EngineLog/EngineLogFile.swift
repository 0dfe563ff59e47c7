internal import AgentCore
internal import Glibc

/// Opens the engine's log, whose usual place is a folder anybody may write to: /tmp.
enum EngineLogFile {
    /// For the engine to append to; created when missing.
    static func openForEngine(_ path: String) throws(EngineStartFailure) -> Descriptor {
        let file: Descriptor
        let status: stat
        do throws(SystemError) {
            // Non-blocking, because opening a FIFO would wait for its reader.
            let flags = O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY
            file = try Descriptor.open(path, flags, mode: 0o644).aboveStandardStreams()
            status = try file.status()
            try SystemError.check("fcntl") { fcntl(file.number, F_SETFL, O_APPEND) }
        } catch {
            throw refusal(path, FileKind(at: path).flatMap { fault($0) } ?? error.reason)
        }
        if let fault = fault(of: status) { throw refusal(path, fault) }
        return file
    }

    /// A log open for reading and its size then, in bytes.
    struct Opened {
        var file: Descriptor
        var size: Int64
    }

    /// For the agent to follow; nil when nothing is there yet.
    static func openForReading(_ log: LogPath) throws(FailureReport) -> Opened? {
        let file: Descriptor
        let status: stat
        do throws(SystemError) {
            let links = log.links == .refused ? O_NOFOLLOW : 0
            file = try Descriptor.open(log.path, O_RDONLY | links | O_NONBLOCK | O_NOCTTY)
            status = try file.status()
        } catch {
            if error.code == ENOENT { return nil }
            throw unreadable(log, FileKind(at: log.path).flatMap { fault($0, log.links) } ?? error.reason)
        }
        if let fault = fault(FileKind(mode: status.st_mode), .refused) { throw unreadable(log, fault) }
        return Opened(file: file, size: Int64(status.st_size))
    }

    private static func fault(_ kind: FileKind, _ links: InotifyLogSource.Links = .refused) -> String? {
        kind == .regular || kind == .link && links == .followed ? nil : "it is \(kind.rawValue)"
    }

    private static func fault(of status: stat) -> String? {
        if let fault = fault(FileKind(mode: status.st_mode)) { return fault }
        if status.st_uid != 0, status.st_uid != geteuid() {
            return "it belongs to user \(status.st_uid)"
        }
        // A second name could be a file of the system that somebody linked into a shared folder.
        return status.st_nlink > 1 ? "it has \(status.st_nlink) names (hard links)" : nil
    }

    private static func refusal(_ path: String, _ fault: String) -> EngineStartFailure {
        EngineStartFailure(
            .engineLog,
            "cannot write the engine's log \(path): \(fault); remove it or choose a path in a folder of the agent's own"
        )
    }

    private static func unreadable(_ log: LogPath, _ fault: String) -> FailureReport {
        FailureReport(
            .engineLog,
            message: "cannot follow the engine's log \(log.path): \(fault); give the path of the regular file itself",
            process: "agent")
    }
}
