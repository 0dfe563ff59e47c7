// libFuzzer's entry: one input is one log, read whole and read in pieces. Built by `scripts/fuzz`, which compiles
// AgentCore with the fuzzer's instrumentation; SwiftPM does not know this file.
@testable internal import AgentCore

/// Bytes of an input that say where the rest of it is cut.
private let cuts = 8

/// Held whatever the log holds: line assembler 2 × 16 KiB, end of the log 8 KiB, and the line that was cleaned.
private let mostHeld = 56 * 1024

private let exits: [EngineExit?] = [nil, .exited(code: 1), .exited(code: 0), .signalled(signal: 9, coreDumped: false)]

private struct Reading {
    var reader = EngineLogReader()
    var facts: [LogFact] = []

    mutating func feed(_ bytes: ArraySlice<UInt8>) {
        facts += reader.feed(Array(bytes))
        require(reader.heldBytes <= mostHeld, "more is held than the bound says")
    }
}

private func require(_ condition: Bool, _ what: StaticString) {
    if !condition { fatalError("\(what)") }
}

@_cdecl("LLVMFuzzerTestOneInput")
func fuzzOneLog(_ start: UnsafePointer<UInt8>?, _ count: Int) -> Int32 {
    let input = Array(UnsafeBufferPointer(start: start, count: count))
    let log = input.dropFirst(cuts)
    var whole = Reading()
    whole.feed(log)
    let inPieces = readInPieces(log, cutBy: Array(input.prefix(cuts)))
    require(inPieces.facts == whole.facts, "other facts when the bytes come in pieces")
    require(inPieces.reader.unknownLines == whole.reader.unknownLines, "other lines are known")
    require(inPieces.reader.unfinishedBytes == whole.reader.unfinishedBytes, "another end of the last line")
    checkUnfinished(whole.reader, inPieces.reader, log)
    // Costs more than all the rest, so every sixteenth input has to do.
    if count % 16 == 0 { checkVerdict(whole.reader, inPieces.reader, exits[count / 16 % exits.count]) }
    return 0
}

/// As the tailer does: any number of bytes at a time.
private func readInPieces(_ log: ArraySlice<UInt8>, cutBy cuts: [UInt8]) -> Reading {
    var reading = Reading()
    var rest = log
    var turn = 0
    while !rest.isEmpty {
        let length = cuts.isEmpty ? 1 : Int(cuts[turn % cuts.count]) + 1
        reading.feed(rest.prefix(length))
        rest = rest.dropFirst(length)
        turn += 1
    }
    return reading
}

/// What an unfinished bar says is said by its line too when that ends.
private func checkUnfinished(_ whole: EngineLogReader, _ inPieces: EngineLogReader, _ log: ArraySlice<UInt8>) {
    let progress = whole.unfinishedProgress()
    require(progress == inPieces.unfinishedProgress(), "another bar when the bytes come in pieces")
    require(whole.unfinishedBytes <= log.count, "a line longer than the log")
    guard let progress else { return }
    var ended = whole
    require(ended.feed([.newline]).contains(progress), "an unfinished bar says what its line does not")
}

private func checkVerdict(_ whole: EngineLogReader, _ inPieces: EngineLogReader, _ exit: EngineExit?) {
    let verdict = whole.explain(exit)
    require(verdict == inPieces.explain(exit), "another verdict when the bytes come in pieces")
    // Bytes that are no UTF-8 become three each.
    require(verdict.message.utf8.count <= 3 * 1024 + 256, "a message without a bound")
    require(verdict.evidence.count <= 8, "more evidence than eight lines")
    require(verdict.evidence.allSatisfy { $0.utf8.count <= 3 * 512 }, "a line of evidence without a bound")
}
