internal import Glibc

/// The sockets a process holds.
enum ProcessSockets {
    /// nil where the kernel does not let us look: a process of another user, or one that has ended.
    static func inodes(of pid: Int32) -> Set<UInt64>? {
        let folder = "/proc/\(pid)/fd"
        guard let stream = opendir(folder) else { return nil }
        defer { closedir(stream) }
        var inodes: Set<UInt64> = []
        while let name = LinuxFileStore.nextName(stream) {
            if let inode = inode("\(folder)/\(name)") { inodes.insert(inode) }
        }
        return inodes
    }

    /// The link of a socket reads `socket:[12345]`.
    private static func inode(_ link: String) -> UInt64? {
        let target = withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { buffer in
            guard let start = buffer.baseAddress else { return "" }
            let length = readlink(link, start, buffer.count)
            return String(decoding: buffer.prefix(max(0, length)).map(UInt8.init(bitPattern:)), as: UTF8.self)
        }
        guard target.hasPrefix("socket:["), target.hasSuffix("]") else { return nil }
        return UInt64(target.dropFirst("socket:[".count).dropLast())
    }
}
