package import AgentCore
internal import Glibc

/// From the staging folder into the engine's cache folder: what is there already stays, what is not comes whole or not at
/// all, however this ends.
extension CachePacking {
    package static func unpack(from folder: String, root: String) throws(FileFailure) {
        let bundle = try index(in: folder)
        let workplace = try Workplace(below: root)
        defer { withExtendedLifetime(workplace) {} }
        var parts = PartReader(folder: folder)
        for file in bundle.files {
            let path = "\(root)/\(file.path)"
            guard FileKind(at: path) == nil else {
                parts.skip(file.bytes)
                continue
            }
            try makeFolders(of: file.path, below: root)
            try parts.copy(file.bytes, to: path, mode: file.isExecutable ? 0o700 : 0o600, by: workplace.file)
        }
    }

    /// Ours alone, and no links: what is in them is executed.
    private static func makeFolders(of path: String, below root: String) throws(FileFailure) {
        var folder = root
        for name in path.split(separator: "/").dropLast() {
            folder += "/\(name)"
            try makeFolder(folder)
        }
    }

    fileprivate static func makeFolder(_ folder: String) throws(FileFailure) {
        if mkdir(folder, 0o700) == 0 { return }
        let code = errno
        guard code == EEXIST else { throw SystemError(operation: "mkdir", code: code).on(folder) }
        guard FileKind(at: folder) == .directory else {
            throw SystemError(operation: "mkdir", code: ENOTDIR).on(folder)
        }
    }
}

/// Where a file is until it is whole: on the same file system, in nobody's way, and of one unpacking at a time.
private struct Workplace {
    /// What one that was killed has left there is written over.
    let file: String
    /// Holds the lock.
    private let folder: Descriptor

    /// Throws EWOULDBLOCK while another agent with the same cache folder unpacks.
    init(below root: String) throws(FileFailure) {
        let path = "\(root)/unpacking"
        try LinuxFileStore().createFolders(root)
        try CachePacking.makeFolder(path)
        file = "\(path)/file"
        do throws(SystemError) {
            let folder = try Descriptor.open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW)
            try SystemError.check("flock") { flock(folder.number, LOCK_EX | LOCK_NB) }
            self.folder = folder
        } catch {
            throw error.on(path)
        }
    }
}

/// Reads contents one behind the other out of files of one size.
private struct PartReader {
    let folder: String
    private var position: UInt64 = 0
    private var part: (number: Int, file: Descriptor)?

    init(folder: String) { self.folder = folder }

    mutating func skip(_ bytes: UInt64) { position += bytes }

    /// Whole or not at all, for every reader. `temporary` is written first, and renamed.
    mutating func copy(
        _ bytes: UInt64, to path: String, mode: UInt32, by temporary: String
    ) throws(FileFailure) {
        do throws(SystemError) {
            _ = unlink(temporary)
            let file = try Descriptor.open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode: mode)
            var left = bytes
            while left > 0 {
                let chunk = try read(upTo: Int(min(left, 1 << 16)))
                try file.write(chunk)
                left -= UInt64(chunk.count)
            }
            try SystemError.check("rename") { rename(temporary, path) }
        } catch {
            _ = unlink(temporary)
            throw error.on(path)
        }
    }

    private mutating func read(upTo limit: Int) throws(SystemError) -> [UInt8] {
        let number = Int(position / CacheBundle.partBytes)
        let offset = position % CacheBundle.partBytes
        if part?.number != number {
            let path = "\(folder)/\(CachePacking.partName(number))"
            part = (number, try Descriptor.open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK))
        }
        let chunk = try part?.file.read(upTo: min(limit, Int(CacheBundle.partBytes - offset)), at: Int64(offset)) ?? []
        guard !chunk.isEmpty else { throw SystemError(operation: "read", code: ENODATA) }
        position += UInt64(chunk.count)
        return chunk
    }
}
