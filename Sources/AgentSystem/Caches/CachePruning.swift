internal import AgentCore
internal import Glibc

/// Keeps what has been compiled on this node within bounds, over many models and settings.
enum CachePruning {
    /// Of everything compiled: that of several large models.
    static let limit: UInt64 = 8 << 30

    /// Removes whole compilations, or single files of the inductor's, those first that nobody has read for the longest
    /// time; none that was read or written since `use` (seconds since 1970).
    static func prune(_ tree: CacheTree, limit: UInt64 = limit, usedSince use: Int64) throws(FileFailure) {
        var caches: [String: (bytes: UInt64, lastUse: Int64)] = [:]
        for entry in tree.entries where entry.file.path.hasPrefix("torch_compile_cache/") {
            let cache = CacheTree.cache(of: entry.file.path)
            let known = caches[cache] ?? (0, 0)
            caches[cache] = (known.bytes + entry.file.bytes, max(known.lastUse, entry.usedAt))
        }
        var total = caches.values.reduce(0) { $0 + $1.bytes }
        for (cache, facts) in caches.sorted(by: { ($0.value.lastUse, $0.key) < ($1.value.lastUse, $1.key) }) {
            guard total > limit, facts.lastUse < use else { return }
            for entry in tree.entries where CacheTree.cache(of: entry.file.path) == cache {
                try LinuxFileStore().remove("\(tree.root)/\(entry.file.path)")
            }
            total -= facts.bytes
        }
    }
}
