/// Exponential backoff with full jitter: uniform between nothing and the cap of this try.
///
/// Full jitter spreads a fleet that lost its control plane at once (AWS Architecture Blog, "Exponential Backoff
/// And Jitter").
package struct Backoff: Equatable, Sendable {
    private let first: Duration
    private let longest: Duration
    private var tries = 0

    package init(first: Duration, longest: Duration) {
        self.first = first
        self.longest = longest
    }

    /// `fraction` is random, uniform in 0..<1.
    package mutating func next(fraction: Double) -> Duration {
        let cap = min(first * (1 << min(tries, 20)), longest)
        tries += 1
        return .nanoseconds(Int64(Double(cap.inNanoseconds) * fraction))
    }

    package mutating func reset() {
        tries = 0
    }
}
