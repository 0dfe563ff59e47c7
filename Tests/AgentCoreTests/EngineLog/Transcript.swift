internal import Foundation
internal import Testing
@testable internal import AgentCore

/// A log of a real run beside what it should be understood as. The expectations were written by reading the log.
struct Transcript: Sendable, CustomTestStringConvertible {
    var name: String
    var bytes: [UInt8]
    /// Facts in order, one to a line.
    var facts: [String]
    var exit: EngineExit?
    /// Class, process and deciding line.
    var verdict: String

    var testDescription: String { name }

    static let all: [Transcript] = names(in: "vllm-logs").map(load)

    /// Logs put together from messages of versions and machines there was none of: marked as such by their folder.
    static let reconstructed: [Transcript] = names(in: "vllm-reconstructed").map(loadReconstructed)

    private static func names(in folder: String) -> [String] {
        let files = (try? FileManager.default.contentsOfDirectory(atPath: path(folder))) ?? []
        return files.filter { $0.hasSuffix(".log") }.map { String($0.dropLast(4)) }.sorted()
    }

    private static func path(_ name: String) -> String {
        (Bundle.module.resourceURL?.path ?? "") + "/Fixtures/" + name
    }

    private static func load(_ name: String) -> Transcript {
        load(name, log: "vllm-logs/\(name).log", golden: "vllm-goldens/\(name).txt")
    }

    private static func loadReconstructed(_ name: String) -> Transcript {
        load(name, log: "vllm-reconstructed/\(name).log", golden: "vllm-reconstructed/\(name).txt")
    }

    private static func load(_ name: String, log: String, golden: String) -> Transcript {
        let bytes = FileManager.default.contents(atPath: path(log)) ?? Data()
        let text = String(decoding: FileManager.default.contents(atPath: path(golden)) ?? Data(), as: UTF8.self)
        let halves = text.split(separator: "---\n", maxSplits: 1, omittingEmptySubsequences: false)
        let facts = halves[0].split(separator: "\n").map(String.init)
        let end = (halves.count > 1 ? halves[1] : "").split(separator: "\n").map(String.init)
        return Transcript(
            name: name, bytes: Array(bytes), facts: facts, exit: end.first.flatMap(exit),
            verdict: end.count > 1 ? end[1] : "no golden")
    }

    /// `exit 1`, `signal 9` or `running`.
    private static func exit(_ text: String) -> EngineExit? {
        let words = text.split(separator: " ")
        guard words.count == 2, let number = Int32(words[1]) else { return nil }
        return words[0] == "signal" ? .signalled(signal: number, coreDumped: false) : .exited(code: number)
    }
}

extension EngineLogReader {
    /// All facts of `bytes`, fed in chunks of the tailer's size.
    mutating func feedAll(_ bytes: [UInt8]) -> [LogFact] {
        var facts: [LogFact] = []
        var start = 0
        while start < bytes.count {
            let end = min(start + 65536, bytes.count)
            facts += feed(Array(bytes[start..<end]))
            start = end
        }
        return facts
    }

    mutating func feed(text: String) -> [LogFact] { feed(Array(text.utf8)) }
}
