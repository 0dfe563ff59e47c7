internal import AgentCore
internal import Glibc

/// What of a file is in the page cache (mincore(2)).
///
/// The kernel tells that only to the file's owner and to who may write it; for others every page seems resident.
enum ResidentPages {
    static let pageBytes = UInt64(sysconf(Int32(_SC_PAGESIZE)))
    /// Mapped at one time.
    private static let window: UInt64 = 1 << 30

    /// nil for what is no regular file, or not ours to ask about.
    static func ranges(of path: String) -> [Range<UInt64>]? {
        guard let file = try? Descriptor.open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK),
            let status = try? file.status(), FileKind(mode: status.st_mode) == .regular,
            status.st_uid == geteuid(), status.st_size > 0
        else { return nil }
        let size = UInt64(status.st_size)
        var resident: [Bool] = []
        var offset: UInt64 = 0
        while offset < size {
            guard let pages = pages(of: file, offset: offset, length: min(Self.window, size - offset)) else {
                return nil
            }
            resident += pages
            offset += Self.window
        }
        return ReadAheadPlan.ranges(resident: resident, pageBytes: pageBytes, fileBytes: size)
    }

    private static func pages(of file: Descriptor, offset: UInt64, length: UInt64) -> [Bool]? {
        let address = mmap(nil, Int(length), PROT_READ, MAP_SHARED, file.number, off_t(offset))
        guard let address, address != MAP_FAILED else { return nil }
        defer { munmap(address, Int(length)) }
        var states = [UInt8](repeating: 0, count: Int((length + pageBytes - 1) / pageBytes))
        guard mincore(address, Int(length), &states) == 0 else { return nil }
        return states.map { $0 & 1 == 1 }
    }
}
