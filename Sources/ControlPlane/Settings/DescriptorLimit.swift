internal import Glibc

/// How many connections this process may hold.
enum DescriptorLimit {
    /// For the database, its readers and the log.
    private static let spare = 128

    /// Raises the soft limit to the hard one (getrlimit(2)): a fleet has a connection or two for each node.
    static func connections() -> Int {
        var limit = rlimit()
        guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return 1024 - spare }
        let soft = limit.rlim_cur
        limit.rlim_cur = limit.rlim_max
        if setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) != 0 { limit.rlim_cur = soft }
        return max(64, Int(min(limit.rlim_cur, 1 << 24)) - spare)
    }
}
