/// How a log is followed by name through rotation, truncation and deletion: the decision, without the system calls.
enum LogFollowing {
    struct File: Equatable, Sendable {
        var device: UInt64
        var inode: UInt64
        /// In bytes.
        var size: Int64
        /// When it was last written to, in nanoseconds since 1970.
        var modified: Int64 = 0

        func isSame(as other: File) -> Bool { device == other.device && inode == other.inode }
    }

    enum Step: Equatable, Sendable {
        /// There are bytes behind the offset, up to this size of the file.
        case read(upTo: Int64)
        /// The file was written to and is no longer than what was read of it: it may have been cut and have grown to
        /// the same size.
        case compare(modified: Int64)
        /// The file was cut: what is in it now is new, from its first byte.
        case startOver
        /// Let go of the open file and take the one at the path, from its first byte.
        case open
        case wait
    }

    /// `path` is the regular file at the path now, nil where there is none; `open` the file that is being read, as it
    /// is now, nil before there was one; `offset` the bytes of it that have been read; `compared` its `modified` when
    /// it was last found to hold what was read of it.
    static func step(path: File?, open: File?, offset: Int64, compared: Int64?) -> Step {
        guard let open else { return path == nil ? .wait : .open }
        if open.size < offset { return .startOver }
        if open.size > offset { return .read(upTo: open.size) }
        if open.modified != compared, offset > 0 { return .compare(modified: open.modified) }
        // Read to its end. An engine that runs goes on writing to a file that was renamed or deleted, so the open
        // file is given up only for one in which somebody has written.
        guard let path, !path.isSame(as: open), path.size > 0 else { return .wait }
        return .open
    }
}
