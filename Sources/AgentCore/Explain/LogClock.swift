/// Which time the lines of a log are given.
///
/// The first line that tells a time decides for the whole file: two clocks in one file (a container runtime's in UTC,
/// the engine's in local time) do not go together.
package struct LogClock: Equatable, Sendable {
    package enum Kind: String, Sendable {
        /// A recorder's stamps: when a line arrived.
        case arrival
        /// What a container runtime or the journal wrote before each line.
        case envelope
        /// What the engine writes into its lines.
        case log
        /// No line says anything about time.
        case none
    }

    package private(set) var kind = Kind.none
    /// The stamps count from the exec, not from 1970.
    package private(set) var countsFromExec = false
    /// Some lines had whole seconds only.
    package private(set) var isCoarse = false
    /// The time of the last line that had one.
    private(set) var now: BootInstant?
    private var calendar = LogCalendar()

    /// Seconds that the log's clock was ever set back.
    var setBack: Double { Double(calendar.setBack) / 1e9 }

    mutating func read(_ stamp: ArrivalStamp) {
        if kind == .none {
            kind = .arrival
            // Nobody's engine starts for a year; stamps since 1970 are larger.
            countsFromExec = stamp.nanoseconds < 31_536_000 * 1_000_000_000
        }
        advance(stamp.nanoseconds)
    }

    /// Whether the line has a time.
    mutating func read(line bytes: Span<UInt8>) -> Bool {
        if kind == .none || kind == .envelope, let found = LogStamp.envelope(bytes) {
            return take(found, .envelope)
        }
        guard kind == .none || kind == .log, let found = LogStamp.own(bytes) else { return false }
        return take(found, .log)
    }

    private mutating func take(_ found: LogStamp.Found, _ kind: Kind) -> Bool {
        guard let nanoseconds = calendar.nanoseconds(found.reading) else { return false }
        self.kind = kind
        if !found.hasFraction { isCoarse = true }
        advance(nanoseconds)
        return true
    }

    private mutating func advance(_ nanoseconds: Int64) {
        let instant = BootInstant(nanoseconds: nanoseconds)
        now = max(now ?? instant, instant)
    }
}
