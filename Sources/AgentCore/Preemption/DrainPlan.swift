/// When a drain begins and when what is left is cut, from one notice.
package struct DrainPlan: Equatable, Sendable {
    /// No earlier than this: a notice of an hour is no reason to turn requests away for an hour.
    package var begins: BootInstant
    /// What still runs is killed here, so that the last report gets out before the machine is gone.
    package var cut: BootInstant

    package init(for notice: Notice, on cloud: Cloud) {
        let window = max(notice.deadline - notice.firstSeenAt, .zero)
        cut = notice.deadline + (.zero - Self.reserve(of: window))
        begins = max(notice.firstSeenAt, notice.deadline + (.zero - cloud.longestNotice - .seconds(5)))
    }

    /// A fifth of the window, at most three seconds.
    private static func reserve(of window: Duration) -> Duration {
        min(window / 5, .seconds(3))
    }

    /// What the engine is started with: it then ends its own requests, with an error that their clients can read, a
    /// moment before the agent would kill it.
    package static func engineTimeout(on cloud: Cloud, granted: Duration?) -> Duration {
        let window = cloud.window(granted: granted)
        return max(window - reserve(of: window) - .seconds(1), .seconds(1))
    }
}
