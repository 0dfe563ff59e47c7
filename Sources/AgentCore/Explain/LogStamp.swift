/// The time that a line carries.
enum LogStamp {
    /// A reading and whether it is finer than a second.
    struct Found: Equatable {
        var reading: LogCalendar.Reading
        var hasFraction: Bool

        var inWholeSeconds: Found {
            var whole = self
            whole.reading.time -= reading.time % 1_000_000_000
            whole.hasFraction = false
            return whole
        }
    }

    /// What others put before a line: a container runtime, the journal.
    static func envelope(_ bytes: Span<UInt8>) -> Found? {
        var end = 0
        LogEnvelope.skip(bytes, &end)
        guard end > 0, let first = bytes.byte(0) else { return nil }
        return first.isDigit ? dateTime(bytes, 0) : syslog(bytes)
    }

    /// The engine's own time, from the part of the line that stands before the message: text in a message is
    /// anybody's. The engine's lines have whole seconds; those of its libraries are finer, and cut to the same grain, so
    /// that times do not run backwards within a second.
    static func own(_ bytes: Span<UInt8>) -> Found? {
        let line = LogLine(bytes)
        if line.level == nil {
            return bytes.byte(line.message) == UInt8(ascii: "{") ? json(bytes, line.message) : nil
        }
        var at = 0
        while at < line.message {
            if bytes[at].isDigit, let found = dateTime(bytes, at) {
                return bytes.byte(at + 2) == UInt8(ascii: "-") ? found : found.inWholeSeconds
            }
            if isTorchLevel(bytes[at]), let found = torch(bytes, at) { return found.inWholeSeconds }
            at += 1
        }
        return nil
    }

    /// `MM-DD HH:MM:SS` or `YYYY-MM-DD HH:MM:SS`, with `T` for the space and a fraction allowed.
    private static func dateTime(_ bytes: Span<UInt8>, _ start: Int) -> Found? {
        if start > 0, let before = bytes.byte(start - 1), before.isDigit || before.isLetter { return nil }
        var end = start
        guard LogTime.skipDateTime(bytes, &end) else { return nil }
        let date = bytes.byte(start + 4) == UInt8(ascii: "-") ? start + 5 : start
        guard let month = pair(bytes, date), let day = pair(bytes, date + 3) else { return nil }
        return reading(bytes, month, day, time: date + 6)
    }

    /// `W1121 19:19:56.305000`
    private static func torch(_ bytes: Span<UInt8>, _ start: Int) -> Found? {
        guard let month = pair(bytes, start + 1), let day = pair(bytes, start + 3), bytes.byte(start + 5) == .space
        else { return nil }
        return reading(bytes, month, day, time: start + 6)
    }

    /// `Nov 21 18:00:00`
    private static func syslog(_ bytes: Span<UInt8>) -> Found? {
        let names: [StaticString] = [
            "Jan ", "Feb ", "Mar ", "Apr ", "May ", "Jun ", "Jul ", "Aug ", "Sep ", "Oct ", "Nov ", "Dec ",
        ]
        guard let month = names.firstIndex(where: { bytes.starts(with: $0) }) else { return nil }
        var at = bytes.skip(.space, from: 4)
        guard let day = bytes.integer(at: &at) else { return nil }
        return reading(bytes, month + 1, day, time: 7)
    }

    /// A member of the JSON formatter's object. Within a string a quote has a backslash before it, so that no message
    /// can look like one.
    private static func json(_ bytes: Span<UInt8>, _ start: Int) -> Found? {
        for name: StaticString in ["\"asctime\": \"", "\"asctime\":\"", "\"timestamp\": \"", "\"timestamp\":\""] {
            if let found = bytes.firstIndex(of: name, from: start) {
                return dateTime(bytes, found + name.utf8CodeUnitCount)
            }
        }
        return nil
    }

    private static func reading(_ bytes: Span<UInt8>, _ month: Int, _ day: Int, time start: Int) -> Found? {
        guard let hours = pair(bytes, start), let minutes = pair(bytes, start + 3),
            let seconds = pair(bytes, start + 6), bytes.byte(start + 2) == UInt8(ascii: ":"),
            bytes.byte(start + 5) == UInt8(ascii: ":"), hours < 24, minutes < 60, seconds <= 60
        else { return nil }
        var time = Int64(hours * 3600 + minutes * 60 + seconds) * 1_000_000_000
        var hasFraction = false
        if let mark = bytes.byte(start + 8), mark == UInt8(ascii: ".") || mark == UInt8(ascii: ",") {
            var unit: Int64 = 100_000_000
            var at = start + 9
            while let digit = bytes.byte(at), digit.isDigit, unit > 0 {
                time += Int64(digit - UInt8(ascii: "0")) * unit
                unit /= 10
                at += 1
                hasFraction = true
            }
        }
        return Found(
            reading: LogCalendar.Reading(month: month, day: day, time: time), hasFraction: hasFraction)
    }

    private static func pair(_ bytes: Span<UInt8>, _ start: Int) -> Int? {
        guard let tens = bytes.byte(start), let ones = bytes.byte(start + 1), tens.isDigit, ones.isDigit else {
            return nil
        }
        return Int(tens - UInt8(ascii: "0")) * 10 + Int(ones - UInt8(ascii: "0"))
    }

    private static func isTorchLevel(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "I") || byte == UInt8(ascii: "W") || byte == UInt8(ascii: "E") || byte == UInt8(ascii: "F")
    }
}

/// What a recorder put before a line when it arrived: seconds, and `o` or `e` for the stream it came on.
struct ArrivalStamp: Equatable {
    var nanoseconds: Int64
    /// The recorder writes the line's own end as text, since bars end in a bare return.
    var isEscaped: Bool
    /// Where the line itself begins.
    var text: Int

    init?(_ bytes: Span<UInt8>) {
        var at = bytes.skip(.space, from: 0)
        guard let seconds = bytes.integer(at: &at), seconds < 1 << 33, bytes.byte(at) == UInt8(ascii: ".") else {
            return nil
        }
        at += 1
        var fraction: Int64 = 0
        var unit: Int64 = 100_000_000
        var digits = 0
        while let digit = bytes.byte(at), digit.isDigit, digits < 9 {
            fraction += Int64(digit - UInt8(ascii: "0")) * unit
            unit /= 10
            digits += 1
            at += 1
        }
        guard digits >= 3, bytes.byte(at) == .space else { return nil }
        nanoseconds = Int64(seconds) * 1_000_000_000 + fraction
        let isStream = bytes.starts(with: "o ", at: at + 1) || bytes.starts(with: "e ", at: at + 1)
        isEscaped = isStream
        text = isStream ? at + 3 : at + 1
    }
}
