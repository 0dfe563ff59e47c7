internal import Testing

@testable internal import AgentCore

@Suite("What stands before a message is recognised in every style")
struct LogLineTests {
    struct Sample: Sendable, CustomTestStringConvertible {
        var line: String
        var role: EngineRole?
        var level: LogLevel?
        var message: String
        var process = 0
        var testDescription: String { line }
    }

    static let samples = [
        Sample(line: "INFO 04-01 12:00:00 model_runner.py:1099] m", level: .info, message: "m"),
        Sample(line: "INFO 04-01 12:00:00 [model_runner.py:1099] m", level: .info, message: "m"),
        Sample(line: "DEBUG 04-01 12:00:00 [v1/engine/core.py:10] m", level: .debug, message: "m"),
        Sample(line: "WARNING 2026-04-01 12:00:00,123 [x.py:1] m", level: .warning, message: "m"),
        Sample(line: "INFO:     m", level: .info, message: "m"),
        Sample(line: "ERROR:vllm.engine:m", level: .error, message: "m"),
        Sample(line: "2026-11-21 18:05:58,188 [INFO] [RunAI Streamer] m", level: .info, message: "[RunAI Streamer] m"),
        Sample(line: "2026-03-08 16:44:29,692 - INFO - file.py:262 - m", level: .info, message: "file.py:262 - m"),
        Sample(line: "2026-03-08 16:44:29,692 - vllm.engine - ERROR - m", level: .error, message: "m"),
        Sample(
            line: "[2026-11-21 18:43:24.666] [ERROR  ] [1 2] [s3/client.cc:364 @ operator()      ] m", level: .error,
            message: "m"),
        Sample(line: "W1121 19:19:56.305000 28538 torch/_library/triton.py:53] m", level: .warning, message: "m"),
        Sample(line: "[W1121 19:20:08.135729738 utils.cpp:68] m", level: .warning, message: "m"),
        Sample(line: "[rank1]:[E1121 19:20:08.13 x.cpp:6] m", role: .worker, level: .error, message: "m", process: -2),
        Sample(line: "[rank0]:   File \"x\"", role: .worker, message: "  File \"x\"", process: -1),
        Sample(
            line: "(APIServer pid=7) INFO 04-01 12:00:00 [x.py:1] m", role: .apiServer, level: .info, message: "m",
            process: 7),
        Sample(line: "(ApiServer_0 pid=7) m", role: .apiServer, message: "m", process: 7),
        Sample(line: "(EngineCore_DP0 pid=8) Traceback", role: .engineCore, message: "Traceback", process: 8),
        Sample(line: "(EngineCore_0 pid=8) INFO:     m", role: .engineCore, level: .info, message: "m", process: 8),
        Sample(line: "(Worker_TP0_EP0 pid=9) m", role: .worker, message: "m", process: 9),
        Sample(line: "(VllmWorker rank=3 pid=9) m", role: .worker, message: "m", process: 9),
        Sample(line: "(VllmWorker-0 pid=9) m", role: .worker, message: "m", process: 9),
        Sample(
            line: "(EngineCore_DP0 pid=8) (RayWorkerWrapper pid=9, ip=10.0.0.2) m", role: .worker, message: "m",
            process: 9),
        Sample(
            line: "2026-11-21T18:00:00.000000000Z stderr F (Worker pid=9) INFO 04-01 12:00:00 [x.py:1] m",
            role: .worker, level: .info, message: "m", process: 9),
        Sample(
            line: "Feb 22 06:35:18 jeebs-Z490 env[2827]: (EngineCore_DP0 pid=9) INFO 02-22 06:35:18 [x.py:8] m",
            role: .engineCore, level: .info, message: "m", process: 9),
        Sample(
            line: "2026-11-21T18:00:00+0000 node-1 vllm[812]: ERROR 02-22 06:35:18 [x.py:8] m", level: .error,
            message: "m"),
        Sample(line: "qwen3.5-4b  | (Worker pid=9) INFO:     m", role: .worker, level: .info, message: "m", process: 9),
        Sample(line: "vllm-1 | m", message: "m"),
        Sample(line: "a b | m", message: "a b | m"),
        Sample(line: "INFO m", message: "INFO m"),
        Sample(line: "(not a process) m", message: "(not a process) m"),
        Sample(line: "m", message: "m"),
    ]

    @Test("Process, level and message", arguments: samples)
    func parts(_ sample: Sample) {
        let bytes = Array(sample.line.utf8)
        let line = LogLine(bytes.span)
        #expect(line.role == sample.role)
        #expect(line.level == sample.level)
        #expect(line.process == sample.process)
        #expect(String(decoding: bytes[line.message...], as: UTF8.self) == sample.message)
    }

    @Test("The message means the same in every style", arguments: samples.filter { $0.message == "m" })
    func fact(_ sample: Sample) {
        var reader = EngineLogReader()
        let facts = reader.feed(text: sample.line.dropLast() + "Loading weights took 1.25 seconds\n")
        #expect(facts == [.weightsLoaded(seconds: 1.25)])
    }
}
