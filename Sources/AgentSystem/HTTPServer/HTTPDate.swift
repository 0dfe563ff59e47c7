internal import Glibc

/// The `Date` header (RFC 9110 §6.6.1), made once a second at most.
struct HTTPDate {
    private static let days = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    private var second: time_t = -1
    private var text = ""

    mutating func text(at now: time_t) -> String {
        guard now != second else { return text }
        var now = now
        var parts = tm()
        gmtime_r(&now, &parts)
        let day = Self.days[Int(parts.tm_wday)]
        let month = Self.months[Int(parts.tm_mon)]
        let clock = [parts.tm_hour, parts.tm_min, parts.tm_sec].map(Self.twoDigits).joined(separator: ":")
        text = "\(day), \(Self.twoDigits(parts.tm_mday)) \(month) \(1900 + parts.tm_year) \(clock) GMT"
        second = now
        return text
    }

    private static func twoDigits(_ number: Int32) -> String {
        number < 10 ? "0\(number)" : "\(number)"
    }
}
