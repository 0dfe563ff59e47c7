extension WallClock {
    /// `20130524T000000Z`, from seconds since 1970.
    package static func basicFormat(_ seconds: Double) -> String {
        let text = rfc3339(seconds).filter { $0 != "-" && $0 != ":" }
        return text.prefix { $0 != "." } + "Z"
    }

    /// Seconds since 1970 of an HTTP date as every sender must write it (RFC 9110 §5.6.7), such as
    /// `Sun, 06 Nov 1994 08:49:37 GMT`.
    package static func seconds(httpDate text: String) -> Double? {
        let parts = text.split(separator: " ")
        guard parts.count == 6, parts[5] == "GMT", let day = Int(parts[1]), let year = Int(parts[3]),
            let month = months.firstIndex(of: String(parts[2])), let time = secondsOfDay(parts[4])
        else { return nil }
        return seconds(year: year, month: month + 1, day: day, time: time)
    }

    /// Seconds since 1970 of an RFC 3339 time with `Z` or an offset; fractions are dropped.
    package static func seconds(rfc3339 text: String) -> Double? {
        let halves = text.split(whereSeparator: { $0 == "T" || $0 == "t" || $0 == " " })
        guard halves.count == 2 else { return nil }
        let date = halves[0].split(separator: "-").map { Int($0) }
        guard date.count == 3, let year = date[0], let month = date[1], let day = date[2], (1...12).contains(month),
            let time = secondsOfDay(halves[1].prefix(8)), let offset = offset(halves[1].dropFirst(8))
        else { return nil }
        return seconds(year: year, month: month, day: day, time: time).map { $0 - Double(offset) }
    }

    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    private static func secondsOfDay(_ text: some StringProtocol) -> Int? {
        let parts = text.split(separator: ":").map { Int($0) }
        guard parts.count == 3, let hour = parts[0], let minute = parts[1], let second = parts[2],
            (0...23).contains(hour), (0...59).contains(minute), (0...60).contains(second)
        else { return nil }
        return hour * 3600 + minute * 60 + second
    }

    /// Seconds east of Greenwich; fractions of the second before it are skipped.
    private static func offset(_ text: some StringProtocol) -> Int? {
        let zone = text.drop { $0 == "." || $0.isNumber }
        if zone == "Z" || zone == "z" { return 0 }
        let digits = zone.dropFirst().split(separator: ":").map { Int($0) }
        guard zone.hasPrefix("+") || zone.hasPrefix("-"), digits.count == 2, let hours = digits[0],
            let minutes = digits[1]
        else { return nil }
        return (zone.hasPrefix("-") ? -1 : 1) * (hours * 3600 + minutes * 60)
    }

    /// Days are counted from the first of March, as in `civil`.
    private static func seconds(year: Int, month: Int, day: Int, time: Int) -> Double? {
        guard (1970...9999).contains(year), (1...31).contains(day) else { return nil }
        let shifted = month <= 2 ? year - 1 : year
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let yearOfEra = shifted % 400
        let days = shifted / 400 * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
        return Double(days * 86_400 + time)
    }
}
