// Which signs begin and end which phase.

/// Where the time of a start went.
package struct StartAccount: Equatable, Sendable {
    /// In order of time; none overlaps another.
    package var spans: [PhaseSpan] = []
    package var begin: BootInstant?
    package var end: BootInstant?

    /// In seconds, from the first sign to the end.
    package var total: Double { Double(totalNanoseconds) / 1e9 }

    /// Seconds that no phase can show a sign for.
    package var unattributed: Double {
        let claimed = spans.reduce(Int64(0)) { $0 + ($1.end - $1.start).inNanoseconds }
        return Double(totalNanoseconds - claimed) / 1e9
    }

    /// The phase that goes on, or within which the start ended.
    package var current: Phase? { spans.last { $0.endSource == nil }?.phase }

    private var totalNanoseconds: Int64 {
        guard let begin, let end else { return 0 }
        return (end - begin).inNanoseconds
    }
}

extension StartTimeline {
    /// `now` ends the phase that is going on; nil where the last sign is the end.
    package func account(at now: BootInstant? = nil) -> StartAccount {
        guard let begin, let end = end(now), begin <= end.at else { return StartAccount() }
        var spans = PhasePainter.spans(claims(until: end), from: begin, to: end.at)
        var told: Set<Phase> = []
        for index in spans.indices.reversed() where told.insert(spans[index].phase).inserted {
            spans[index].detail = findings.detail(of: spans[index].phase)
            if spans[index].phase == .weightsStream {
                spans[index].bytes = findings.streamedBytes ?? bytesOfWeights?.bytes
            } else if spans[index].phase == .downloading, hasReached(.prepared) {
                spans[index].bytes = downloadBytes
            }
        }
        return StartAccount(spans: spans, begin: begin, end: end.at)
    }

    private func claims(until end: Moment) -> [PhaseClaim] {
        outer.compactMap { claim($0, until: end) } + compilations.map { compilation($0, until: end) }
            + [capture].compactMap { claim($0, until: end) }
    }
}

/// A phase with the signs it needs. Without its own end it is open as long as the start has not got to `closing`.
private struct PhaseRule {
    var phase: Phase
    var begin: Moment?
    var end: Moment?
    var closing: StartMilestone
}

extension StartTimeline {
    private func claim(_ rule: PhaseRule, until end: Moment) -> PhaseClaim? {
        guard let begin = rule.begin else { return nil }
        if let own = rule.end { return PhaseClaim(phase: rule.phase, begin: begin, end: own) }
        guard !hasReached(rule.closing) else { return nil }
        // Who only has the log knows nothing of the probes that follow it.
        if rule.closing >= .healthy, trouble == nil, begin.at == end.at { return nil }
        return PhaseClaim(phase: rule.phase, begin: begin, end: end, isOpen: true)
    }

    /// One after the other; where they overlap the later has the time.
    private var outer: [PhaseRule] { agentPhases + processPhases + modelPhases + servingPhases }

    private var agentPhases: [PhaseRule] {
        [
            PhaseRule(
                phase: .preflightDone, begin: first(.preparing), end: first(.downloading) ?? first(.prepared),
                closing: .downloading),
            PhaseRule(phase: .downloading, begin: first(.downloading), end: first(.prepared), closing: .prepared),
            PhaseRule(phase: .engineExec, begin: first(.prepared), end: first(.executed), closing: .executed),
        ]
    }

    /// Python's imports, the pull of configuration and tokenizer, and the spawns: most of it without a line.
    private var processPhases: [PhaseRule] {
        let configured = last(.configured) ?? first(.coreSpawned)
        return [
            PhaseRule(
                phase: .engineImport, begin: first(.executed) ?? first(.spoke), end: first(.banner), closing: .banner),
            PhaseRule(phase: .engineConfig, begin: first(.banner), end: configured, closing: .configured),
            PhaseRule(
                phase: .engineCoreSpawn, begin: configured, end: first(.coreUp) ?? first(.workerSpawned),
                closing: .coreUp),
            PhaseRule(
                phase: .workerSpawn, begin: first(.coreUp) ?? first(.workerSpawned), end: loadBegan,
                closing: .loadStarted),
        ]
    }

    private var modelPhases: [PhaseRule] {
        [
            PhaseRule(
                phase: .modelInit, begin: loadBegan, end: first(.modelMade) ?? first(.weightsMoving),
                closing: .modelMade),
            PhaseRule(
                phase: .weightsStream, begin: weightsBegan, end: last(.weightsDone) ?? last(.modelLoaded),
                closing: .weightsDone),
            PhaseRule(
                phase: .weightsDone, begin: last(.weightsDone), end: initialisationBegan, closing: .warmingUp),
            PhaseRule(
                phase: .kvProfile, begin: initialisationBegan, end: last(.engineUp) ?? lastOfInitialisation,
                closing: .engineUp),
        ]
    }

    private var servingPhases: [PhaseRule] {
        let listening = first(.listening) ?? first(.healthy)
        return [
            PhaseRule(
                phase: .serverListening, begin: last(.engineUp) ?? first(.serverStarting), end: listening,
                closing: .listening),
            PhaseRule(phase: .healthOK, begin: first(.listening), end: first(.healthy), closing: .healthy),
            PhaseRule(phase: .firstToken, begin: first(.healthy), end: first(.firstToken), closing: .firstToken),
        ]
    }

    /// V0 on CPU says nothing when it begins to load; its workers' readiness is the last word before.
    private var loadBegan: Moment? {
        first(.loadStarted) ?? (hasReached(.modelMade) ? last(.workerUp) : nil)
    }

    private var weightsBegan: Moment? {
        if let shown = first(.modelMade) ?? first(.weightsMoving) { return shown }
        if let took = stated[.weightsLoaded] {
            return before(Moment(at: took.at, source: .log), took.seconds)
        }
        // Without a bar the making of the model cannot be told from the loading.
        return hasReached(.weightsDone) ? first(.loadStarted) : nil
    }

    /// Profiling, KV cache, warm-up: `init engine (…) took` says when it began. Before that line is there, the end of
    /// the load or the first word about any of it.
    private var initialisationBegan: Moment? {
        let loaded = later(last(.weightsDone), last(.modelLoaded))
        if let took = stated[.engineUp], let up = last(.engineUp) {
            return canTell(took.seconds) ? later(before(up, took.seconds), loaded) : loaded ?? firstOfInitialisation
        }
        return last(.modelLoaded) == nil ? firstOfInitialisation : loaded
    }

    var firstOfInitialisation: Moment? {
        [first(.warmingUp), compilations.first?.begin, first(.profiled), first(.capturing), first(.captured)]
            .compactMap(\.self).min { $0.at < $1.at }
    }

    /// Only where a later phase shows that it is over.
    private var lastOfInitialisation: Moment? {
        guard hasReached(.serverStarting) else { return nil }
        return [last(.warmingUp), last(.compiling), last(.profiled), last(.capturing), last(.captured)]
            .compactMap(\.self).max { $0.at < $1.at }
    }

    private func later(_ left: Moment?, _ right: Moment?) -> Moment? {
        guard let left, let right else { return left ?? right }
        return left.at < right.at ? right : left
    }
}

// MARK: - Within the initialisation

extension StartTimeline {
    private func compilation(_ claim: PhaseClaim, until end: Moment) -> PhaseClaim {
        var claim = claim
        // It cannot have begun before there was a model.
        if let loaded = later(last(.weightsDone), last(.modelLoaded)), claim.begin.at < loaded.at {
            claim.begin = loaded
        }
        if claim.end.at < claim.begin.at { claim.end = claim.begin }
        claim.isOpen = claim.isOpen && findings.isCompiling && !hasReached(.engineUp)
        if claim.isOpen { claim.end = end }
        return claim
    }

    private var capture: PhaseRule {
        var begin = first(.capturing)
        if begin == nil, let took = stated[.captured], let end = last(.captured) {
            begin = before(end, took.seconds)
        }
        return PhaseRule(phase: .graphCapture, begin: begin, end: last(.captured), closing: .captured)
    }
}
