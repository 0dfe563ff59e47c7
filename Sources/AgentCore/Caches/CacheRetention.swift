/// Which carried caches go when there are too many: those that nobody has used for the longest time.
package enum CacheRetention {
    /// What the store holds under one key.
    package struct Entry: Hashable, Sendable {
        package var key: String
        package var bytes: UInt64
        /// When its newest object was written, as the listing tells it (RFC 3339): each use writes the manifest anew,
        /// once a day at most.
        package var lastUse: String

        package init(key: String, bytes: UInt64, lastUse: String) {
            self.key = key
            self.bytes = bytes
            self.lastUse = lastUse
        }
    }

    /// Keys to be removed, so that what stays has at most `limit` bytes. The one just written always stays.
    package static func superfluous(_ entries: [Entry], keeping key: String, limit: UInt64) -> [String] {
        var total = entries.reduce(0) { $0 &+ $1.bytes }
        var gone: [String] = []
        let oldest = entries.filter { $0.key != key }.sorted { ($0.lastUse, $0.key) < ($1.lastUse, $1.key) }
        for entry in oldest where total > limit {
            gone.append(entry.key)
            total -= entry.bytes
        }
        return gone
    }
}
