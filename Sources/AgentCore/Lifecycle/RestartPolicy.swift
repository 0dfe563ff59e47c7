/// How long to wait before an engine that failed is started again.
package struct RestartPolicy: Equatable, Sendable {
    /// Failures in a row without a stretch of stable serving between them.
    package private(set) var failures = 0
    /// Engines started again since the agent began.
    package private(set) var restarts = 0

    private static let first = Duration.seconds(1)
    private static let longest = Duration.seconds(60)
    /// Serving this long forgives earlier failures.
    private static let stable = Duration.seconds(300)

    package init(failures: Int = 0, restarts: Int = 0) {
        self.failures = failures
        self.restarts = restarts
    }

    /// 1, 2, 4, … 60 s. One engine per machine has no herd to scatter, so there is no jitter.
    package mutating func delayAfterFailure(served: Duration?) -> Duration {
        if let served, served >= Self.stable { failures = 0 }
        failures += 1
        restarts += 1
        let doublings = min(failures - 1, 6)
        return min(Self.first * (1 << doublings), Self.longest)
    }

    package mutating func newAssignment() {
        failures = 0
    }
}
