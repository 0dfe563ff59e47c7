/// Room for a model on a disk of bounded size: others that were used longest ago make way.
package struct CacheRoom: Equatable, Sendable {
    package struct Model: Equatable, Sendable {
        package var folder: String
        package var bytes: UInt64
        /// Seconds since 1970.
        package var usedAt: Double

        package init(folder: String, bytes: UInt64, usedAt: Double) {
            self.folder = folder
            self.bytes = bytes
            self.usedAt = usedAt
        }
    }

    /// What stays free on the disk whatever is downloaded: logs, state and the engine's own cache live there, too.
    package static let reserve: UInt64 = 2 << 30

    /// Bytes that may be written below the cache; nil where the kernel does not tell.
    package var free: UInt64?
    /// Bytes that all models together may take; nil leaves it to the disk.
    package var limit: UInt64?
    /// The others that are there.
    package var others: [Model]

    package init(free: UInt64?, limit: UInt64?, others: [Model]) {
        self.free = free
        self.limit = limit
        self.others = others
    }

    /// The models to remove so that `missing` more bytes of a model of `total` bytes have room. Throws what is in the
    /// way when all of them would not do.
    package func evictions(total: UInt64, missing: UInt64) throws(FailureReport) -> [Model] {
        var rest = others.sorted { ($0.usedAt, $0.folder) < ($1.usedAt, $1.folder) }[...]
        var removed: [Model] = []
        while !fits(total: total, missing: missing, without: removed) {
            guard let oldest = rest.popFirst() else { throw noRoom(total: total, missing: missing) }
            removed.append(oldest)
        }
        return removed
    }

    private func fits(total: UInt64, missing: UInt64, without removed: [Model]) -> Bool {
        let freed = removed.reduce(UInt64(0)) { $0 &+ $1.bytes }
        let kept = others.reduce(UInt64(0)) { $0 &+ $1.bytes } - freed
        if let limit, total > limit || kept > limit - total { return false }
        guard missing > 0, let free else { return true }
        return missing <= (free &+ freed) && (free &+ freed) - missing >= Self.reserve
    }

    private func noRoom(total: UInt64, missing: UInt64) -> FailureReport {
        let size = StoreJudge.gigabytes(total)
        if let limit, total > limit {
            return FailureReport(
                .localStorage,
                message: "the model has \(size), and the model cache may hold \(StoreJudge.gigabytes(limit))"
                    + " (CROSSLOGIC_MODEL_CACHE_LIMIT)",
                process: "agent")
        }
        return FailureReport(
            .localStorage,
            message: "\(StoreJudge.gigabytes(missing)) of the model are to be downloaded; the disk of the model cache has"
                + " \(StoreJudge.gigabytes(free ?? 0)) free, of which \(StoreJudge.gigabytes(Self.reserve)) stay free",
            process: "agent")
    }
}
