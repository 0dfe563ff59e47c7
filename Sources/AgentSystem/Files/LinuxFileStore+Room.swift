internal import Glibc

extension LinuxFileStore {
    package func freeBytes(below folder: String) -> UInt64? {
        var folder = folder
        var status = statvfs()
        while statvfs(folder, &status) == -1 {
            guard errno == ENOENT, let slash = folder.lastIndex(of: "/"), folder != "/" else { return nil }
            folder = slash == folder.startIndex ? "/" : String(folder[..<slash])
        }
        // Not f_bfree: the rest is root's.
        return UInt64(status.f_bavail) * UInt64(status.f_frsize)
    }
}
