internal import AgentCore
internal import Glibc

/// One file of a log: how far it is read, and the bytes right before that place. They tell a file that was cut and has
/// grown beyond the place again from one that only grew.
struct FollowedFile {
    static let chunkSize = 1 << 16

    enum Outcome {
        /// None where there was nothing but a hole.
        case bytes([UInt8])
        /// What stood before the offset, or was to be read, is no longer there.
        case wasCut
        case failed
    }

    /// `SEEK_DATA`: glibc shows it to C programs with _GNU_SOURCE only.
    private static let seekData: Int32 = 3

    private let file: Descriptor
    private(set) var offset: Int64
    /// The end of what was read, at most `LogFingerprint.longest` bytes of it.
    private var end: [UInt8]
    /// See `LogFollowing.step`.
    private(set) var compared: Int64?

    /// Read up to `offset`.
    init(_ file: Descriptor, offset: Int64) {
        self.file = file
        self.offset = offset
        end = Self.bytes(of: file, before: offset) ?? []
    }

    /// As it is now; nil when the kernel does not say.
    var facts: LogFollowing.File? { (try? file.status()).map(LogFollowing.File.init) }

    /// For a watch. The path may lead to another file by now.
    var pathOfDescriptor: String { "/proc/self/fd/\(file.number)" }

    mutating func read(upTo size: Int64) -> Outcome {
        if offset == 0 { skipHole(upTo: size) }
        let limit = Int(min(Int64(Self.chunkSize), size - offset))
        if limit == 0 { return .bytes([]) }
        guard let bytes = try? file.read(upTo: limit, at: offset) else { return .failed }
        // Compared after the read: what was read from a file cut before that is not believed.
        guard !bytes.isEmpty, holdsWhatWasRead else { return .wasCut }
        offset += Int64(bytes.count)
        let isEnough = bytes.count >= LogFingerprint.longest
        end = Array((isEnough ? bytes : end + bytes).suffix(LogFingerprint.longest))
        return .bytes(bytes)
    }

    /// Whether the file, last written to at `modified`, still holds what was read of it.
    mutating func compare(modified: Int64) -> Bool {
        guard holdsWhatWasRead else { return false }
        compared = modified
        return true
    }

    /// From the first byte.
    mutating func startOver() {
        offset = 0
        end = []
        compared = nil
    }

    /// A file cut under a writer that keeps its place begins with a hole, which can be larger than the disk.
    private mutating func skipHole(upTo size: Int64) {
        let data = Int64(lseek(file.number, 0, Self.seekData))
        if data > 0 { offset = min(data, size) }
        // Nothing but a hole.
        if data == -1, errno == ENXIO { offset = size }
    }

    /// nil when the file was cut: what is in it now was never read.
    func position(at offset: Int64) -> LogPosition? {
        guard let facts, let bytes = Self.bytes(of: file, before: offset), holdsWhatWasRead else { return nil }
        return LogPosition(
            device: facts.device, inode: facts.inode, offset: offset, fingerprint: LogFingerprint(of: bytes))
    }

    private var holdsWhatWasRead: Bool {
        end.isEmpty || (try? file.read(upTo: end.count, at: offset - Int64(end.count))) == end
    }

    /// As many as a fingerprint takes; nil when the file is shorter than `offset`.
    static func bytes(of file: Descriptor, before offset: Int64) -> [UInt8]? {
        let count = Int(min(offset, Int64(LogFingerprint.longest)))
        guard count > 0 else { return [] }
        guard let bytes = try? file.read(upTo: count, at: offset - Int64(count)) else { return nil }
        return bytes.count == count ? bytes : nil
    }
}

extension LogFollowing.File {
    init(_ status: stat) {
        self.init(
            device: UInt64(status.st_dev), inode: UInt64(status.st_ino), size: Int64(status.st_size),
            modified: Int64(status.st_mtim.tv_sec) * 1_000_000_000 + Int64(status.st_mtim.tv_nsec))
    }
}
