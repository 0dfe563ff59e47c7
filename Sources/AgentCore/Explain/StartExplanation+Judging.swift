extension StartExplanation {
    init(_ run: ExplainedRun, _ reader: EngineLogReader, _ clock: LogClock, starts: Int) {
        let report = reader.explain(nil)
        outcome = Self.outcome(run, reader.evidence)
        failure = outcome == .failed ? report : nil
        let timeline = clock.kind == .none ? run.counted : run.timed
        let isOver = run.isReady || clock.kind == .none
        account = run.isEngine ? timeline.account(at: isOver ? nil : clock.now) : StartAccount()
        version = timeline.findings.version
        load = run.isEngine ? timeline.load : nil
        crossChecks = run.isEngine && clock.kind != .none ? timeline.crossChecks : []
        unknownLines = reader.unknownLines
        self.clock = clock
        self.starts = starts
        notes = []
        advice = []
        notes = StartNotes.sentences(self, run)
        advice = StartAdvice.sentences(self, timeline.findings)
    }

    private static func outcome(_ run: ExplainedRun, _ evidence: FailureEvidence) -> Outcome {
        guard run.isEngine else { return .unfinished }
        if evidence.troubles > run.overcome {
            return evidence.isInterruptOnly ? .stopped : .failed
        }
        if run.wasAskedToStop || (run.isReady && run.hasStopped) { return .stopped }
        return run.isReady ? .ready : .unfinished
    }
}

extension FailureEvidence {
    /// Ctrl-C, or SIGINT from a supervisor.
    var isInterruptOnly: Bool {
        deaths.isEmpty
            && exceptions.allSatisfy {
                $0.exception.type == "KeyboardInterrupt" || $0.exception.type.hasSuffix("CancelledError")
            }
    }
}

/// What limits an explanation.
enum StartNotes {
    static func sentences(_ explanation: StartExplanation, _ run: ExplainedRun) -> [String] {
        guard run.isEngine else { return ["Nothing in this log is vLLM's."] }
        var notes = [clock(explanation.clock)]
        if explanation.clock.setBack >= 2 {
            let seconds = Quantity.short(explanation.clock.setBack)
            notes.append("The log's clock was set back by \(seconds) s; times stand still until it catches up.")
        }
        if explanation.starts > 1 {
            notes.append(
                "The log holds \(explanation.starts) starts; this is the last one. What came before its banner is not "
                    + "known to belong to it.")
        }
        if !run.sawBanner {
            notes.append("The API server's banner is not in this log: where the imports end is not known.")
        }
        if run.isReady {
            notes.append("Ready by the log's own words; whether the model answers, only a request can tell.")
        }
        return notes + ending(explanation, run)
    }

    private static func clock(_ clock: LogClock) -> String {
        switch clock.kind {
        case .arrival where clock.countsFromExec:
            "Times are those of arrival, counted by the recorder from the start of the engine."
        case .arrival:
            "Times are those of arrival; what came before the first line is not in this log."
        case .envelope, .log:
            (clock.kind == .log
                ? "Times are the log's own, which has no year" : "Times are those written before each line")
                + (clock.isCoarse ? " and whole seconds only: each can be off by one" : "")
                + ". What came before the first line is not in this log."
        case .none:
            "The log tells no times: the phases are in order, without seconds."
        }
    }

    private static func ending(_ explanation: StartExplanation, _ run: ExplainedRun) -> [String] {
        guard explanation.hasTimes, let last = explanation.clock.now else { return [] }
        if let ready = run.readyAt, explanation.outcome == .failed || explanation.outcome == .stopped {
            let served = Quantity.short((last - ready).inSeconds)
            return ["The log goes on for \(served) s after the start; the phases are those of the start."]
        }
        guard explanation.outcome == .failed, let end = explanation.account.end, last > end else { return [] }
        return ["The log goes on for \(Quantity.short((last - end).inSeconds)) s after the first word of the failure."]
    }
}
