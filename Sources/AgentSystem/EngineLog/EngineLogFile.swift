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
            throw refusal(path, FileKind(at: path).flatMap(fault) ?? error.reason)
        }
        if let fault = fault(of: status) { throw refusal(path, fault) }
        return file
    }

    /// For the agent to follow; nil when nothing is there yet.
    static func openForReading(_ path: String) throws(FailureReport) -> (file: Descriptor, status: stat)? {
        let file: Descriptor
        let status: stat
        do throws(SystemError) {
            file = try Descriptor.open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY)
            status = try file.status()
        } catch {
            if error.code == ENOENT { return nil }
            throw unreadable(path, FileKind(at: path).flatMap(fault) ?? error.reason)
        }
        if let fault = fault(FileKind(mode: status.st_mode)) { throw unreadable(path, fault) }
        return (file, status)
    }

    private static func fault(_ kind: FileKind) -> String? {
        kind == .regular ? nil : "it is \(kind.rawValue)"
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

    private static func unreadable(_ path: String, _ fault: String) -> FailureReport {
        FailureReport(
            .engineLog,
            message: "cannot follow the engine's log \(path): \(fault); give the path of the regular file itself",
            process: "agent")
    }
}
