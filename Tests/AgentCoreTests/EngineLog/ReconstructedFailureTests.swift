internal import Testing

@testable internal import AgentCore

/// Failures there is no log of: put together from messages in vLLM's, PyTorch's and the streamer's sources and from
/// reports of users, in the surroundings of their version.
@Suite("Failures of machines we have none of (reconstructed)")
struct ReconstructedFailureTests {
    @Test("The cause is named, not its consequences", arguments: ReconstructedFailure.all)
    func verdict(_ failure: ReconstructedFailure) {
        var reader = EngineLogReader()
        _ = reader.feed(text: failure.log)
        let report = reader.explain(failure.exit)
        #expect(report.failure == failure.expected)
        #expect(report.process == failure.process)
        #expect(report.message.contains(failure.words))
    }

    @Test("Every class a log can tell has an example")
    func complete() {
        let examples = Set(ReconstructedFailure.all.map(\.expected) + Transcript.all.compactMap(\.failure))
        // Said by the agent itself, not by a log.
        let elsewhere: Set<FailureClass> = [.engineLog, .engineUnkillable, .canaryFailed]
        #expect(examples.union(elsewhere) == Set(FailureClass.allCases))
    }

    @Test("Every class says what happened and what to do", arguments: FailureClass.allCases)
    func advice(_ failure: FailureClass) {
        #expect(failure.summary.hasSuffix("."))
        #expect(failure.remedy.hasSuffix("."))
        #expect(failure.remedy.utf8.count > 30)
    }

    @Test("No two classes say the same")
    func distinct() {
        #expect(Set(FailureClass.allCases.map(\.summary)).count == FailureClass.allCases.count)
        #expect(Set(FailureClass.allCases.map(\.remedy)).count == FailureClass.allCases.count)
    }
}

extension Transcript {
    var failure: FailureClass? { verdict.split(separator: " ").first.flatMap { FailureClass(rawValue: String($0)) } }
}

struct ReconstructedFailure: Sendable, CustomTestStringConvertible {
    var name: String
    var expected: FailureClass
    var process: String?
    /// Must stand in the message.
    var words: String
    var exit: EngineExit? = .exited(code: 1)
    var log: String

    var testDescription: String { "reconstructed: \(name)" }

    init(
        _ name: String, _ expected: FailureClass, _ process: String?, _ words: String,
        exit: EngineExit? = .exited(code: 1), log: String
    ) {
        self.name = name
        self.expected = expected
        self.process = process
        self.words = words
        self.exit = exit
        self.log = log
    }

    static let all = accelerators + stores + settings + machines + runs

    /// The three tracebacks of a worker's failure in vLLM 0.32, each line with its record's prefix.
    static func inWorker(_ exception: String) -> String {
        """
        (Worker pid=32) INFO 11-21 17:50:07 [cpu_model_runner.py:68] Starting to load model /a...
        (Worker pid=32) ERROR 11-21 17:50:07 [multiproc_executor.py:953] WorkerProc failed to start.\r
        (Worker pid=32) ERROR 11-21 17:50:07 [multiproc_executor.py:953] Traceback (most recent call last):\r
        (Worker pid=32) ERROR 11-21 17:50:07 [multiproc_executor.py:953]   File "/x/vllm/v1/worker/gpu_worker.py", line 1\r
        (Worker pid=32) ERROR 11-21 17:50:07 [multiproc_executor.py:953]     raise ValueError(^\r
        (Worker pid=32) ERROR 11-21 17:50:07 [multiproc_executor.py:953] \(exception)
        (EngineCore pid=31) ERROR 11-21 17:50:10 [core.py:1510] EngineCore failed to start.\r
        (EngineCore pid=31) ERROR 11-21 17:50:10 [core.py:1510] Traceback (most recent call last):\r
        (EngineCore pid=31) ERROR 11-21 17:50:10 [core.py:1510]     raise e from None\r
        (EngineCore pid=31) ERROR 11-21 17:50:10 [core.py:1510] Exception: WorkerProc initialization failed due to an \
        exception in a background process. See stack trace for root cause.
        Traceback (most recent call last):
          File "/opt/vllm/bin/vllm", line 10, in <module>
            sys.exit(main())
        RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}

        """
    }

    /// The one traceback of a failure before the engine core is spawned.
    static func inServer(_ exception: String) -> String {
        """
        Traceback (most recent call last):
          File "/opt/vllm/bin/vllm", line 10, in <module>
            sys.exit(main())
        \(exception)

        """
    }
}
