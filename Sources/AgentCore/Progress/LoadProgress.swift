/// How far the weights are. Bytes are the truth; the engine's bar counts tensors or files, and can stand still for
/// half a minute while bytes flow.
package struct LoadProgress: Equatable, Sendable {
    /// The engine's own bar.
    package var count: WeightsProgress?
    /// Received since the weights began; nil where the engine's sockets cannot be seen.
    package var bytes: UInt64? { meter?.bytes }
    /// What is to be read, over all ranks; nil until somebody says it.
    package var totalBytes: Double?
    private var meter: ByteMeter?

    package init() {}

    /// In 0...1; nil when nothing tells.
    package var fraction: Double? {
        if let byBytes { return byBytes }
        return count?.fraction
    }

    /// Bytes a second over the last seconds.
    package var rate: Double? { meter?.rate }

    /// Seconds until the last byte; nil without a total or while nothing flows.
    package var secondsLeft: Double? {
        guard let totalBytes, let bytes, let rate, rate > 0 else { return nil }
        return max(0, totalBytes - Double(bytes)) / rate
    }

    package mutating func received(_ total: UInt64, at now: BootInstant) {
        if meter == nil { meter = ByteMeter(total, at: now) }
        meter?.observe(total, at: now)
    }

    private var byBytes: Double? {
        guard let totalBytes, totalBytes > 0, let bytes else { return nil }
        return min(1, Double(bytes) / totalBytes)
    }
}

package struct WeightsProgress: Equatable, Sendable {
    package var done: Int
    package var total: Int
    /// nil where the engine's version does not tell what its bar counts.
    package var unit: WeightsUnit?

    package var fraction: Double { total > 0 ? min(1, Double(done) / Double(total)) : 0 }
}

/// Bytes since a beginning, and their rate with a memory of some five seconds.
private struct ByteMeter: Equatable, Sendable {
    private let begin: UInt64
    private var last: UInt64
    private var lastAt: BootInstant
    private let beganAt: BootInstant
    private(set) var rate: Double?

    init(_ total: UInt64, at now: BootInstant) {
        begin = total
        last = total
        lastAt = now
        beganAt = now
    }

    var bytes: UInt64 { last - begin }

    mutating func observe(_ total: UInt64, at now: BootInstant) {
        let seconds = (now - lastAt).inSeconds
        guard seconds > 0, total >= last else { return }
        let sample = Double(total - last) / seconds
        // A plain mean at first, so that the first sample does not count for more than it is.
        let weight = seconds / min((now - beganAt).inSeconds, seconds + 5)
        rate = rate.map { $0 + (sample - $0) * weight } ?? sample
        last = total
        lastAt = now
    }
}
