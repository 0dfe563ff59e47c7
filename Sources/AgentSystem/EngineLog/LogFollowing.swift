/// How a log is followed by name through rotation, truncation and deletion: the decision, without the system calls.
enum LogFollowing {
    struct File: Equatable, Sendable {
        var device: UInt64
        var inode: UInt64
        /// In bytes.
        var size: Int64

        func isSame(as other: File) -> Bool { device == other.device && inode == other.inode }
    }

    enum Step: Equatable, Sendable {
        /// There are bytes behind the offset.
        case read
        /// The file was cut: what is in it now is new, from its first byte.
        case startOver
        /// Let go of the open file and take the one at the path, from its first byte.
        case open
        case wait
    }

    /// `path` is the regular file at the path now, nil where there is none; `open` the file that is being read, as it
    /// is now, nil before there was one; `offset` the bytes of it that have been read.
    static func step(path: File?, open: File?, offset: Int64) -> Step {
        guard let open else { return path == nil ? .wait : .open }
        if open.size < offset { return .startOver }
        if open.size > offset { return .read }
        // Read to its end. An engine that runs goes on writing to a file that was renamed or deleted, so the open
        // file is given up only for one in which somebody has written.
        guard let path, !path.isSame(as: open), path.size > 0 else { return .wait }
        return .open
    }
}
