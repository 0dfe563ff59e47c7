internal import Testing

@testable internal import AgentCore

@Suite("Times without a year")
struct LogClockTests {
    private static func reading(_ month: Int, _ day: Int, _ seconds: Int64) -> LogCalendar.Reading {
        LogCalendar.Reading(month: month, day: day, time: seconds * 1_000_000_000)
    }

    /// Seconds between two readings.
    private static func between(_ first: LogCalendar.Reading, _ second: LogCalendar.Reading) -> Int64? {
        var calendar = LogCalendar()
        guard let begin = calendar.nanoseconds(first), let end = calendar.nanoseconds(second) else { return nil }
        return (end - begin) / 1_000_000_000
    }

    @Test(
        "Midnight, the end of a month, of a year and of February",
        arguments: [
            [11, 21, 11, 22], [11, 30, 12, 1], [12, 31, 1, 1], [2, 28, 3, 1], [2, 29, 3, 1], [2, 28, 2, 29],
        ])
    func wraps(days: [Int]) {
        #expect(Self.between(Self.reading(days[0], days[1], 86_390), Self.reading(days[2], days[3], 5)) == 15)
    }

    @Test("A clock that is set back stands still until it has caught up")
    func setBack() {
        var calendar = LogCalendar()
        let first = calendar.nanoseconds(Self.reading(11, 21, 500))
        #expect(calendar.nanoseconds(Self.reading(11, 21, 440)) == first)
        #expect(calendar.setBack == 60_000_000_000)
        #expect(calendar.nanoseconds(Self.reading(11, 21, 501)) == first.map { $0 + 1_000_000_000 })
    }

    @Test(
        "Every style of header tells its time",
        arguments: [
            ("INFO 11-21 18:00:01 model_runner.py:1099] x", 11, 64_801_000 as Int64),
            ("INFO 11-21 18:00:01 [model_runner.py:1099] x", 11, 64_801_000),
            ("(EngineCore_DP0 pid=77) (Worker_TP0 pid=80) INFO 02-16 12:17:06.794 [backends.py:215] x", 2, 44_226_794),
            ("2026-11-21 18:05:58,188 [INFO] [RunAI Streamer] x", 11, 65_158_000),
            ("[2026-11-21 18:43:24.666] [ERROR  ] [1 2] [a.cc:1 @ f] x", 11, 67_404_000),
            ("W1121 19:19:56.305000 28538 torch/_library/triton.py:53] x", 11, 69_596_000),
            ("2026-03-08 16:44:29,692 - INFO - file.py:262 - name: x", 3, 60_269_000),
            (#"{"asctime": "2026-11-21 18:00:01,250", "levelname": "INFO", "message": "x"}"#, 11, 64_801_250),
        ])
    func own(line: String, month: Int, milliseconds: Int64) {
        let bytes = Array(line.utf8)
        let found = LogStamp.own(bytes.span)
        #expect(found?.reading.month == month)
        #expect(found?.reading.time == milliseconds * 1_000_000)
    }

    @Test(
        "Text within a message, bars and access logs tell none",
        arguments: [
            "INFO:     1.2.3.4:5 - \"GET /11-21 18:00:01 HTTP/1.1\" 200 OK", "  File \"11-21 18:00:01\", line 1",
            "Loading safetensors checkpoint shards: 100% Completed | 4/4 [00:05<00:00,  1.30s/it]",
            #"{"message": "\"asctime\": \"2026-11-21 18:00:01\""}"#, "11-21 18:00:01",
        ])
    func none(line: String) {
        let bytes = Array(line.utf8)
        #expect(LogStamp.own(bytes.span) == nil)
    }

    @Test(
        "What a container runtime or the journal wrote before the line",
        arguments: [
            ("2026-11-21T18:00:01.250000000Z INFO 11-21 19:00:00 [a.py:1] x", 64_801_250 as Int64),
            ("2026-11-21T18:00:01+0000 host vllm[812]: x", 64_801_000),
            ("Nov 21 18:00:01 host vllm[812]: x", 64_801_000),
        ])
    func envelope(line: String, milliseconds: Int64) {
        let bytes = Array(line.utf8)
        let found = LogStamp.envelope(bytes.span)
        #expect(found?.reading == LogCalendar.Reading(month: 11, day: 21, time: milliseconds * 1_000_000))
    }

    @Test(
        "A recorder's stamp is told from a line that begins with a number",
        arguments: [
            ("    7.674 e text", 7_674_000_000 as Int64?, true),
            ("1795288788.123456 text", 1_795_288_788_123_456_000, false), ("7 files", nil, false),
            ("1.5 GiB", nil, false), ("", nil, false),
        ])
    func arrival(line: String, nanoseconds: Int64?, isEscaped: Bool) {
        let bytes = Array(line.utf8)
        let stamp = ArrivalStamp(bytes.span)
        #expect(stamp?.nanoseconds == nanoseconds)
        #expect(stamp?.isEscaped ?? false == isEscaped)
    }

    @Test(
        "A bar tells how long it has been running",
        arguments: [("[00:18<00:00, 38.70it/s]", 18.0), ("[1:02:03<?, ?it/s]", 3723)])
    func elapsed(bar: String, seconds: Double) {
        let bytes = Array("Loading: 100% Completed | 7/7 \(bar)".utf8)
        #expect(UntimedFacts.elapsed(bytes.span) == seconds)
    }
}
