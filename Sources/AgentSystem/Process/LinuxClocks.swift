package import AgentCore
internal import Glibc

package struct LinuxClocks: Clocks {
    package init() {}

    package func now() -> BootInstant {
        let time = Self.read(CLOCK_BOOTTIME)
        return BootInstant(nanoseconds: Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec))
    }

    package func wallTime() -> Double {
        let time = Self.read(CLOCK_REALTIME)
        return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }

    /// Cannot fail for the two clocks above: every kernel that runs the agent has them.
    private static func read(_ clock: clockid_t) -> timespec {
        var time = timespec()
        clock_gettime(clock, &time)
        return time
    }
}
