/// When the next heartbeat is pushed.
///
/// One that was missed is not made up for: the next one says all that it did. A fleet that lost its control plane would
/// otherwise bring all of them at once when it is back, on top of those that are due.
package struct PushPace: Equatable, Sendable {
    private static let longest = Duration.seconds(60)

    private var failures = 0

    package init() {}

    /// A fleet that boots at once, or is asked at once, does not begin at once. `fraction` is uniform in 0..<1.
    package func first(every interval: Duration, fraction: Double) -> Duration {
        interval * fraction
    }

    /// It was taken, and the next one is due then.
    package mutating func taken(next: Duration, fraction: Double) -> Duration {
        failures = 0
        return Self.spread(next, fraction)
    }

    /// It was not. What the control plane asks for is the least; the jitter comes on top, because it asks everybody for
    /// the same.
    package mutating func failed(every interval: Duration, retryAfter: Duration?, fraction: Double) -> Duration {
        let cap = min(interval * (1 << min(failures, 10)), max(interval, Self.longest))
        failures += 1
        let pause = cap == interval ? Self.spread(interval, fraction) : interval + (cap - interval) * fraction
        return max(pause, (retryAfter ?? .zero) + interval * fraction)
    }

    /// By a tenth either way, so that nodes which came together do not stay together.
    private static func spread(_ interval: Duration, _ fraction: Double) -> Duration {
        interval * (0.9 + 0.2 * fraction)
    }
}
