internal import Glibc

/// Repairs what libraries leave open for children: libcurl's wake-up pair and NIO's epoll descriptor are made
/// without close-on-exec, and neither library shows them.
enum CloseOnExec {
    /// Marks every socket and anonymous inode (epoll, eventfd, timerfd) of this process. A child that is meant to
    /// have one gets it through `dup2`, which clears the mark. Between the library's call and this one a child could
    /// still inherit; spawning closes from 3 upwards for that.
    static func markSocketsAndAnonymousInodes() {
        guard let folder = opendir("/proc/self/fd") else { return }
        defer { closedir(folder) }
        while let entry = readdir(folder) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            guard let descriptor = Int32(name), isSocketOrAnonymousInode(descriptor) else { continue }
            mark(descriptor)
        }
    }

    static func mark(_ descriptor: Int32) {
        let flags = fcntl(descriptor, F_GETFD)
        guard flags >= 0, flags & FD_CLOEXEC == 0 else { return }
        _ = fcntl(descriptor, F_SETFD, flags | FD_CLOEXEC)
    }

    private static func isSocketOrAnonymousInode(_ descriptor: Int32) -> Bool {
        guard descriptor > 2 else { return false }
        var target = [CChar](repeating: 0, count: 32)
        let length = readlink("/proc/self/fd/\(descriptor)", &target, target.count)
        let text = target.prefix(max(length, 0)).map { UInt8(bitPattern: $0) }
        return text.starts(with: "socket:".utf8) || text.starts(with: "anon_inode:".utf8)
    }
}
