/// Points in time as clouds write them, in seconds since 1970. nil for anything that is no time.
package enum TimeText {
    /// RFC 3339 (`2017-09-18T08:22:00Z`, with fraction or offset), HTTP's own form (`Mon, 19 Sep 2016 18:29:47 GMT`,
    /// RFC 9110 §5.6.7) and that of AWS's calendar (`21 Jan 2019 09:00:43 GMT`, the day without a leading zero).
    package static func parse(_ text: some StringProtocol) -> Double? {
        var scanner = TimeScanner(text.utf8)
        scanner.skipBlanks()
        return scanner.startsWithYear ? isoTime(&scanner, zone: nil) : calendarTime(&scanner)
    }

    /// UTC where the text names no zone, as its cloud's manual has it.
    package static func parse(utc text: some StringProtocol) -> Double? { parse(text) ?? parse(text, inZone: 0) }

    /// `2018-08-18 12:05:33` in a zone the text does not name, given in seconds east of Greenwich.
    package static func parse(_ text: some StringProtocol, inZone offset: Int) -> Double? {
        var scanner = TimeScanner(text.utf8)
        scanner.skipBlanks()
        return isoTime(&scanner, zone: offset)
    }

    private static func isoTime(_ scanner: inout TimeScanner, zone: Int?) -> Double? {
        guard let year = scanner.number(digits: 4...4), scanner.take("-"), let month = scanner.number(digits: 2...2),
            scanner.take("-"), let day = scanner.number(digits: 2...2), scanner.takeAny("Tt "),
            let time = timeOfDay(&scanner)
        else { return nil }
        let fraction = scanner.fraction()
        guard let offset = scanner.offset() ?? zone, scanner.isAtEnd else { return nil }
        return seconds(year, month, day).map { $0 + Double(time) + fraction - Double(offset) }
    }

    private static func calendarTime(_ scanner: inout TimeScanner) -> Double? {
        if scanner.word() != nil {
            guard scanner.take(",") else { return nil }
            scanner.skipBlanks()
        }
        guard let day = scanner.number(digits: 1...2), scanner.takeAny(" -"), let name = scanner.word(),
            let month = months.firstIndex(of: name.lowercased()), scanner.takeAny(" -"),
            let year = scanner.number(digits: 4...4), scanner.take(" "), let time = timeOfDay(&scanner)
        else { return nil }
        scanner.skipBlanks()
        guard let zone = scanner.word(), ["GMT", "UTC", "Z"].contains(zone.uppercased()), scanner.isAtEnd else {
            return nil
        }
        return seconds(year, month + 1, day).map { $0 + Double(time) }
    }

    private static let months = [
        "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
    ]

    /// Seconds since midnight; a leap second counts as the one before it.
    private static func timeOfDay(_ scanner: inout TimeScanner) -> Int? {
        guard let hour = scanner.number(digits: 2...2), scanner.take(":"), let minute = scanner.number(digits: 2...2),
            scanner.take(":"), let second = scanner.number(digits: 2...2), hour < 24, minute < 60, second <= 60
        else { return nil }
        return hour * 3600 + minute * 60 + min(second, 59)
    }

    private static func seconds(_ year: Int, _ month: Int, _ day: Int) -> Double? {
        guard year >= 1970, (1...12).contains(month), day >= 1, day <= WallClock.days(inMonth: month, of: year) else {
            return nil
        }
        return Double(WallClock.daysSince1970(year: year, month: month, day: day)) * 86_400
    }
}

/// Reads ASCII from left to right; nothing it reads is longer than a few bytes.
private struct TimeScanner {
    private var rest: ArraySlice<UInt8>

    init(_ bytes: some Sequence<UInt8>) {
        // No time is longer, and a body may be.
        var bytes = Array(bytes.prefix(64))
        while let last = bytes.last, last <= 0x20 { bytes.removeLast() }
        rest = bytes[...]
    }

    var isAtEnd: Bool { rest.isEmpty }

    var startsWithYear: Bool {
        rest.prefix(4).count == 4 && rest.prefix(4).allSatisfy { (0x30...0x39).contains($0) }
    }

    mutating func skipBlanks() { rest = rest.drop { $0 == 0x20 || $0 == 0x09 || $0 == 0x0A || $0 == 0x0D } }

    mutating func take(_ character: Unicode.Scalar) -> Bool {
        guard rest.first == UInt8(ascii: character) else { return false }
        rest = rest.dropFirst()
        return true
    }

    mutating func takeAny(_ characters: StaticString) -> Bool {
        let accepted = characters.withUTF8Buffer { Array($0) }
        guard let first = rest.first, accepted.contains(first) else { return false }
        rest = rest.dropFirst()
        return true
    }

    mutating func number(digits range: ClosedRange<Int>) -> Int? {
        let digits = rest.prefix(range.upperBound).prefix { (0x30...0x39).contains($0) }
        guard range.contains(digits.count) else { return nil }
        rest = rest.dropFirst(digits.count)
        return digits.reduce(0) { $0 * 10 + Int($1 - 0x30) }
    }

    mutating func word() -> String? {
        let letters = rest.prefix { (0x41...0x5A).contains($0) || (0x61...0x7A).contains($0) }
        guard !letters.isEmpty else { return nil }
        rest = rest.dropFirst(letters.count)
        return String(decoding: letters, as: UTF8.self)
    }

    mutating func fraction() -> Double {
        guard take(".") else { return 0 }
        let digits = rest.prefix { (0x30...0x39).contains($0) }
        rest = rest.dropFirst(digits.count)
        return Double("0." + String(decoding: digits.prefix(9), as: UTF8.self)) ?? 0
    }

    /// Seconds east of Greenwich; nil where the text names no zone.
    mutating func offset() -> Int? {
        if takeAny("Zz") { return 0 }
        let sign: Int
        if take("+") { sign = 1 } else if take("-") { sign = -1 } else { return nil }
        guard let hours = number(digits: 2...2) else { return nil }
        _ = take(":")
        guard let minutes = number(digits: 2...2), hours <= 14, minutes < 60 else { return nil }
        return sign * (hours * 3600 + minutes * 60)
    }
}
