/// One start of an engine, from signs in whatever order they come. A value of bounded size: it reads no clock.
///
/// Only the moments between phases are kept. The phases themselves are worked out when they are asked for, since a
/// later sign often tells where an earlier phase really began: `init engine (…) took 27.42 s` is printed at its end.
package struct StartTimeline: Equatable, Sendable {
    private(set) var findings = StartFindings()
    private var first: [StartMilestone: Moment] = [:]
    private var last: [StartMilestone: Moment] = [:]
    private var highest = StartMilestone.preparing
    /// torch.compile runs more than once: in the profiling run, for a draft model, in the warm-up.
    private(set) var compilations: [PhaseClaim] = []
    /// What the log states about durations, for the phases' beginnings and for the cross-check.
    private(set) var stated: [StatedDuration.Subject: StatedDuration] = [:]
    /// The first exception or death since the start last moved on.
    private(set) var trouble: Moment?
    private(set) var downloadBytes: Int64?
    private var earliest: BootInstant?
    private var latest: BootInstant?
    private var counters: [StartSign.Receiver: ByteCounter] = [:]
    /// Off where instants only count lines: a stated duration then says nothing about where a phase began.
    let hasClock: Bool

    private static let compilationLimit = 8

    package init() { self.init(hasClock: true) }

    init(hasClock: Bool) { self.hasClock = hasClock }

    /// `now` is when the sign was seen. Nothing that comes after the first token belongs to the start.
    package mutating func note(_ sign: StartSign, at now: BootInstant) {
        note(sign, at: now, isExact: true)
    }

    /// `isExact` is false for a line that has no time of its own: what it states then cannot be checked.
    mutating func note(_ sign: StartSign, at now: BootInstant, isExact: Bool) {
        guard highest < .firstToken else { return }
        switch sign {
        case .downloading(let bytes): downloadBytes = bytes
        case .received(let bytes, let receiver):
            count(bytes, by: receiver)
            return
        case .ended:
            trouble = trouble ?? Moment(at: now, source: .agent)
        case .log(let fact):
            guard highest < .listening else { return }
            if fact.isTrouble { trouble = trouble ?? Moment(at: now, source: .log) }
            learn(fact, at: now, isExact)
        default:
            break
        }
        saw(now)
        if let (milestone, source) = sign.milestone { reach(milestone, Moment(at: now, source: source)) }
    }

    func first(_ milestone: StartMilestone) -> Moment? { first[milestone] }

    func last(_ milestone: StartMilestone) -> Moment? { last[milestone] }

    func hasReached(_ milestone: StartMilestone) -> Bool { highest >= milestone }

    /// The end of the time that is accounted for. `now` counts while the start goes on.
    func end(_ now: BootInstant?) -> Moment? {
        if let trouble { return trouble }
        if let served = first[.firstToken] { return served }
        return (now ?? latest).map { Moment(at: max($0, latest ?? $0), source: .log) }
    }

    var begin: BootInstant? { earliest }

    var bytesOfWeights: (bytes: Int64, by: StartSign.Receiver)? {
        for receiver in [StartSign.Receiver.engineSockets, .network] {
            if let counter = counters[receiver], let bytes = counter.received { return (bytes, receiver) }
        }
        return nil
    }
}

// MARK: - Taking signs in

extension StartTimeline {
    private mutating func saw(_ now: BootInstant) {
        earliest = min(earliest ?? now, now)
        latest = max(latest ?? now, now)
    }

    private mutating func reach(_ milestone: StartMilestone, _ moment: Moment) {
        guard highest < milestone.closing || milestone >= highest else { return }
        if first[milestone] == nil {
            first[milestone] = moment
            // It went on: whatever was said before did not end it.
            if milestone > highest { trouble = nil }
        }
        last[milestone] = moment
        highest = max(highest, milestone)
    }

    private mutating func learn(_ fact: LogFact, at now: BootInstant, _ isExact: Bool) {
        findings.note(fact)
        let moment = Moment(at: now, source: .log)
        if let duration = StatedDuration(fact, at: now, isExact: isExact), highest < duration.subject.closing {
            let known = stated[duration.subject]
            // Of workers that say the same the slowest counts.
            if known == nil || duration.seconds >= (known?.seconds ?? 0) { stated[duration.subject] = duration }
        }
        switch fact {
        case .compileStarted, .compileCacheHit, .compileCacheMiss, .warmupStarted, .warmupFinished(nil):
            compile(from: moment, to: moment)
        case .bytecodeTransformed(let seconds):
            compile(from: before(moment, seconds), to: moment)
        case .compiled(let seconds):
            // A sum, printed when the profiling run is over as well: it says when compilation ended only where
            // nothing else does.
            if compilations.last?.isOpen != true { compile(from: before(moment, seconds), to: moment) }
        case .memoryProfiled, .kvCacheMemory, .kvCache, .kvCacheBlocks, .graphCaptureStarted, .graphCaptured:
            if let running = compilations.indices.last { compilations[running].isOpen = false }
        default:
            break
        }
    }

    /// Extends the compilation that runs, or begins another.
    private mutating func compile(from begin: Moment, to end: Moment) {
        guard highest < .engineUp else { return }
        if let running = compilations.indices.last,
            compilations[running].isOpen || compilations.count == Self.compilationLimit
        {
            compilations[running].begin = min(compilations[running].begin, begin)
            compilations[running].end = end
        } else {
            compilations.append(PhaseClaim(phase: .compile, begin: begin, end: end, isOpen: true))
        }
    }

    /// The moment this many seconds earlier, as far as the clock and the statement can be trusted.
    func before(_ moment: Moment, _ seconds: Double) -> Moment {
        guard canTell(seconds) else { return moment }
        let nanoseconds = Int64(seconds * 1e9)
        return Moment(at: moment.at + .nanoseconds(-nanoseconds), source: moment.source)
    }

    /// Whether a stated duration says when something began.
    func canTell(_ seconds: Double) -> Bool { hasClock && (0...1e6).contains(seconds) }

    private mutating func count(_ bytes: Int64, by receiver: StartSign.Receiver) {
        var counter = counters[receiver] ?? ByteCounter()
        if highest < .modelMade {
            counter.before = bytes
        } else if highest < .warmingUp {
            counter.latest = max(counter.latest ?? bytes, bytes)
        }
        counters[receiver] = counter
    }
}

/// A counter's values when the weights began and when it was last read while they came.
private struct ByteCounter: Equatable, Sendable {
    var before: Int64?
    var latest: Int64?

    var received: Int64? {
        guard let before, let latest, latest >= before else { return nil }
        return latest - before
    }
}

private func min(_ left: Moment, _ right: Moment) -> Moment { right.at < left.at ? right : left }
