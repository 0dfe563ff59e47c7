/// Dates without a year, as the engine prints them, as seconds that only rise.
struct LogCalendar: Equatable, Sendable {
    /// A date of the log and the time of day.
    struct Reading: Equatable, Sendable {
        var month: Int
        var day: Int
        /// Nanoseconds since midnight.
        var time: Int64
    }

    private var previous: Int64?
    /// Nanoseconds of the years that have passed since the first reading.
    private var years: Int64 = 0
    private var isLeapYear = false
    /// How far the clock was ever set back, in nanoseconds.
    private(set) var setBack: Int64 = 0

    private static let day: Int64 = 86_400_000_000_000
    private static let daysBefore = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334]

    /// Nanoseconds since the first of January before the first reading; nil for what is no date. A clock that is set
    /// back stands still until it has caught up; half a year back is the next year.
    mutating func nanoseconds(_ reading: Reading) -> Int64? {
        guard (1...12).contains(reading.month), (1...31).contains(reading.day) else { return nil }
        var now = years + sinceNewYear(reading)
        if let previous, now < previous - 180 * Self.day {
            years += (isLeapYear ? 366 : 365) * Self.day
            isLeapYear = false
            now = years + sinceNewYear(reading)
        }
        if reading.month == 2, reading.day == 29 { isLeapYear = true }
        if let previous, now < previous {
            setBack = max(setBack, previous - now)
            now = previous
        }
        previous = now
        return now
    }

    private func sinceNewYear(_ reading: Reading) -> Int64 {
        let leapDay = isLeapYear && reading.month > 2 ? 1 : 0
        let days = Self.daysBefore[reading.month - 1] + reading.day - 1 + leapDay
        return Int64(days) * Self.day + reading.time
    }
}
