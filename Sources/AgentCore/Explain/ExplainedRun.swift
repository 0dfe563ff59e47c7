/// What a log shows of one engine, from its banner to its end.
///
/// READY by the text alone: good enough for an explanation, never for the agent that runs an engine.
struct ExplainedRun: Sendable {
    /// In the log's own time, once there is one.
    private(set) var timed = StartTimeline()
    /// Counts lines; for logs without times.
    private(set) var counted = StartTimeline(hasClock: false)
    /// Something that only vLLM says.
    private(set) var isEngine = false
    private(set) var readyAt: BootInstant?
    private(set) var isReady = false
    private(set) var wasAskedToStop = false
    private(set) var hasStopped = false
    private(set) var sawBanner = false
    /// Troubles that the start or the serving engine went on after.
    private(set) var overcome = 0
    private var order: Int64 = 0
    /// Facts from before the first line with a time.
    private var early: [LogFact] = []
    private static let earlyLimit = 64

    /// The moment from which the time is counted, before anything is said.
    mutating func begin(_ sign: StartSign, at now: BootInstant) {
        timed.note(sign, at: now)
        for fact in early { timed.note(.log(fact), at: now) }
        early = []
    }

    /// `troubles` is how many exceptions and deaths are known by now.
    mutating func note(_ fact: LogFact, at now: BootInstant?, isExact: Bool, troubles: Int) {
        if fact.isOfEngine { isEngine = true }
        if case .version = fact { sawBanner = true }
        follow(fact, at: now)
        if fact.milestone != nil, !isReady || fact == .startupComplete { overcome = troubles }
        order += 1
        counted.note(.log(fact), at: BootInstant(nanoseconds: order))
        if let now {
            timed.note(.log(fact), at: now, isExact: isExact)
        } else if early.count < Self.earlyLimit {
            early.append(fact)
        }
    }

    private mutating func follow(_ fact: LogFact, at now: BootInstant?) {
        switch fact {
        case .startupComplete:
            if !isReady { readyAt = now }
            isReady = true
        case .shutdownTriggered: wasAskedToStop = true
        case .serverStopping, .serverStopped: hasStopped = true
        default: break
        }
    }
}

extension LogFact {
    /// Nobody else prints this. Progress bars, uvicorn's lines and exceptions are everybody's.
    var isOfEngine: Bool {
        switch self {
        case .version, .nonDefaultArguments, .allArguments, .configResolved, .maxModelLength, .engineProcessStarted,
            .engineCoreInitialising, .modelLoadStarted, .modelInitialised, .streamPlanned, .streamed, .modelLoaded,
            .bytecodeTransformed, .compiled, .compileStarted, .kvCacheMemory, .kvCache, .kvCacheBlocks,
            .maxConcurrency, .engineInitialised, .serverStarting:
            true
        case .exception(let exception):
            exception.process != nil
        case .processDied(let words):
            words.contains("vllm")
        default:
            false
        }
    }
}
