/// A point on CLOCK_BOOTTIME, in nanoseconds since the machine booted.
///
/// Every mark of a start is stamped with this one clock: it counts through suspend, never steps with NTP,
/// and means the same to every process on the machine.
package struct BootInstant: Hashable, Comparable, Sendable {
    package var nanoseconds: Int64

    package init(nanoseconds: Int64) {
        self.nanoseconds = nanoseconds
    }

    package static func < (left: BootInstant, right: BootInstant) -> Bool {
        left.nanoseconds < right.nanoseconds
    }

    package static func - (left: BootInstant, right: BootInstant) -> Duration {
        .nanoseconds(left.nanoseconds - right.nanoseconds)
    }

    package static func + (left: BootInstant, right: Duration) -> BootInstant {
        BootInstant(nanoseconds: left.nanoseconds + right.inNanoseconds)
    }

    /// Seconds since boot.
    package var seconds: Double { Double(nanoseconds) / 1e9 }
}

extension Duration {
    package var inNanoseconds: Int64 {
        let (seconds, attoseconds) = components
        return seconds * 1_000_000_000 + attoseconds / 1_000_000_000
    }

    package var inSeconds: Double { Double(inNanoseconds) / 1e9 }
}
