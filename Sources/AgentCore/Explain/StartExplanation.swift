/// What a log says about the last start in it.
package struct StartExplanation: Equatable, Sendable {
    package enum Outcome: String, Sendable {
        case ready
        case failed
        /// Ended because somebody asked it to.
        case stopped
        /// The log ends before the start does, or it is no log of vLLM.
        case unfinished
    }

    package var version: String?
    package var outcome: Outcome
    package var failure: FailureReport?
    package var account: StartAccount
    package var load: LoadSummary?
    package var crossChecks: [CrossCheck]
    /// What limits these statements, as sentences.
    package var notes: [String]
    /// What took long and what would make it shorter, as sentences.
    package var advice: [String]
    /// Lines that held nothing known.
    package var unknownLines: Int
    package var clock: LogClock
    /// Starts in the log, this one included.
    package var starts: Int

    /// Without a clock the phases are in order and their times mean nothing.
    package var hasTimes: Bool { clock.kind != .none }
}
