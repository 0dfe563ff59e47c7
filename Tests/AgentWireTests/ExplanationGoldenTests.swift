internal import AgentCore
internal import AgentWire
internal import Foundation
internal import Testing

/// Real logs with the times at which their lines arrived, real logs with their own clock, and reconstructed ones: what
/// each is explained as, reviewed by reading the log. `CROSSLOGIC_WRITE_GOLDEN=1` writes what is found now.
@Suite("Logs are explained as a reader explains them")
struct ExplanationGoldenTests {
    struct Case: Sendable, CustomTestStringConvertible {
        var golden: String
        var bytes: [UInt8]

        var testDescription: String { golden }
    }

    @Test("The explanation is the one reviewed", arguments: all)
    func explained(_ log: Case) throws {
        let rendered = String(decoding: Self.explain(log.bytes).rendered(pretty: true), as: UTF8.self) + "\n"
        let file = Self.fixtures.appending(path: "explain-goldens/\(log.golden).json")
        if ProcessInfo.processInfo.environment["CROSSLOGIC_WRITE_GOLDEN"] != nil {
            try rendered.write(to: file, atomically: true, encoding: .utf8)
        }
        #expect(rendered == (try String(contentsOf: file, encoding: .utf8)), "read the diff of \(log.golden).json")
    }

    @Test(
        "At least 98 % of a real start have a name, from the exec to the line that says it is complete",
        arguments: arrivals)
    func attribution(_ log: Case) throws {
        let document = Self.explain(log.bytes)
        let total = try #require(document["total_s"]?.numberValue)
        let rest = try #require(document["unattributed_s"]?.numberValue)
        #expect(rest <= 0.02 * total)
    }

    @Test("All logs are there")
    func complete() {
        #expect(Self.arrivals.count == 26)
        #expect(Self.all.count == 26 + 4 + 5 + 4)
    }

    private static let all = arrivals + ownClock + named("vllm-reconstructed") + named("explain-reconstructed")

    private static let arrivals: [Case] = names("vllm-arrivals", suffix: ".txt").map { name in
        Case(golden: "\(name).arrival", bytes: arrived(name))
    }

    private static let ownClock: [Case] = [
        "success-s3-compile", "v085-success-s3-runai", "v0181-kill-engine", "fail-s3-weights-403-streamerlog",
    ].map { Case(golden: "\($0).clock", bytes: read("vllm-logs/\($0).log")) }

    private static func named(_ folder: String) -> [Case] {
        names(folder, suffix: ".log").map { Case(golden: $0, bytes: read("\(folder)/\($0).log")) }
    }

    private static func explain(_ bytes: [UInt8]) -> JSONValue {
        var explainer = LogExplainer()
        explainer.feed(bytes)
        return ExplanationCodec.document(explainer.finish())
    }
}

extension ExplanationGoldenTests {
    private static let fixtures = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "../AgentCoreTests/Fixtures").standardized

    private static func names(_ folder: String, suffix: String) -> [String] {
        let files = (try? FileManager.default.contentsOfDirectory(atPath: fixtures.appending(path: folder).path)) ?? []
        return files.filter { $0.hasSuffix(suffix) }.map { String($0.dropLast(suffix.count)) }.sorted()
    }

    private static func read(_ path: String) -> [UInt8] {
        Array(FileManager.default.contents(atPath: fixtures.appending(path: path).path) ?? Data())
    }

    /// The log as a recorder wrote it: a stamp before each line, the line's own end as text. The stamps are kept apart,
    /// as `seconds stream lines`, and the lines are those of the log.
    private static func arrived(_ name: String) -> [UInt8] {
        var lines = lines(of: read("vllm-logs/\(name).log"))[...]
        var text: [UInt8] = []
        for run in String(decoding: read("vllm-arrivals/\(name).txt"), as: UTF8.self).split(separator: "\n") {
            let parts = run.split(separator: " ")
            guard parts.count == 3, let count = Int(parts[2]) else { continue }
            let padding = String(repeating: " ", count: max(0, 9 - parts[0].count))
            for line in lines.prefix(count) { text += Array("\(padding)\(parts[0]) \(parts[1]) ".utf8) + line + [10] }
            lines = lines.dropFirst(count)
        }
        return text
    }

    private static func lines(of log: [UInt8]) -> [[UInt8]] {
        var lines: [[UInt8]] = []
        var line: [UInt8] = []
        for (index, byte) in log.enumerated() {
            switch byte {
            case 10:
                lines.append(line)
                line = []
            case 13:
                let endsLine = index + 1 == log.count || log[index + 1] != 10
                line += Array((endsLine ? "\\r" : "\\r\\n").utf8)
                if endsLine {
                    lines.append(line)
                    line = []
                }
            default:
                line.append(byte)
            }
        }
        return lines
    }
}
