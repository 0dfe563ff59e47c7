internal import AgentCore
internal import Glibc

/// Finds the file of a checkpoint again: at its path, by its inode under another name, or as a copy that logrotate's
/// `copytruncate` has made.
enum LogSearch {
    /// A folder such as /tmp can hold any number of files.
    private static let longestListing = 4096
    private static let mostCopies = 64
    /// In bytes. Less of a log can stand in two files by chance.
    private static let tellingFingerprint = 64

    /// nil where no file holds the bytes before the position any more.
    static func find(_ position: LogPosition, _ log: LogPath) -> Descriptor? {
        if let opened = try? EngineLogFile.openForReading(log), isFile(opened.file, of: position),
            holds(opened.file, position)
        {
            return opened.file
        }
        var copies: [String] = []
        for folder in [log.folder, log.targetFolder].compactMap({ $0 }) {
            for name in names(in: folder) {
                let path = "\(folder)/\(name)"
                var status = stat()
                guard lstat(path, &status) == 0, FileKind(mode: status.st_mode) == .regular else { continue }
                let isNamed = status.st_ino == position.inode && UInt64(status.st_dev) == position.device
                if isNamed, let file = open(path), holds(file, position) { return file }
                if name.hasPrefix(log.stem), status.st_size >= position.offset { copies.append(path) }
            }
        }
        guard position.fingerprint.count >= tellingFingerprint else { return nil }
        return copies.prefix(mostCopies).lazy.compactMap(open).first { holds($0, position) }
    }

    private static func isFile(_ file: Descriptor, of position: LogPosition) -> Bool {
        guard let status = try? file.status() else { return false }
        return status.st_ino == position.inode && UInt64(status.st_dev) == position.device
    }

    private static func holds(_ file: Descriptor, _ position: LogPosition) -> Bool {
        guard position.offset >= 0, let bytes = FollowedFile.bytes(of: file, before: position.offset) else {
            return false
        }
        return LogFingerprint(of: bytes) == position.fingerprint
    }

    private static func open(_ path: String) -> Descriptor? {
        try? Descriptor.open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY)
    }

    private static func names(in folder: String) -> [String] {
        guard let stream = opendir(folder) else { return [] }
        defer { closedir(stream) }
        var names: [String] = []
        while names.count < longestListing, let name = LinuxFileStore.nextName(stream) { names.append(name) }
        return names
    }
}
