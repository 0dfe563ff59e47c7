/// Bytes of the engine's log in, facts out. A value: memory bounded by a constant, no clock, no file.
package struct EngineLogReader: Sendable {
    package init() {}

    /// Facts in the order they stand in the bytes. Lines end at `\n` or `\r`; a partial one is kept for the next call.
    package mutating func feed(_ bytes: [UInt8]) -> [LogFact] { [] }

    /// The verdict on a start or run that ended, from everything fed so far.
    package func explain(_ exit: EngineExit?) -> FailureReport {
        FailureReport(.unknown, message: "")
    }
}
