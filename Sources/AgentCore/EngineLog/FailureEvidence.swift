/// What the log holds against the engine: exceptions, last words of processes, the streamer's own complaints.
///
/// Bounded: the first few of each kind are kept, since the first is the cause and the rest are its consequences. What
/// follows a stop that somebody asked for is no evidence: vLLM reports its own dead engine then, with a traceback.
struct FailureEvidence: Sendable {
    /// Per kind of process. A node has up to eight workers, and all of them can fail alike.
    static let exceptionsPerRole = 12
    static let deathsLimit = 6
    static let streamerLimit = 3

    private(set) var exceptions: [TracebackReader.Found] = []
    private(set) var deaths: [Death] = []
    /// The streamer's first error lines; a single cut connection makes hundreds.
    private(set) var streamerErrors: [String] = []
    /// What is left of the command line's help and error, when the engine refused it.
    private(set) var sawUsage = false
    private(set) var isServing = false
    private(set) var wasAskedToStop = false

    struct Death: Sendable {
        var text: String
        var role: EngineRole?
    }

    mutating func note(_ fact: LogFact, from role: EngineRole?) {
        switch fact {
        case .version:
            // A new start: whatever the last one died of is not this one's cause.
            self = FailureEvidence()
        case .startupComplete:
            isServing = true
        case .shutdownTriggered:
            wasAskedToStop = true
        case .processDied(let text):
            guard !wasAskedToStop, deaths.count < Self.deathsLimit else { return }
            deaths.append(Death(text: text, role: role))
        default:
            break
        }
    }

    mutating func noteUsage() { sawUsage = true }

    mutating func note(_ found: TracebackReader.Found) {
        guard !wasAskedToStop else { return }
        // A serving API server reports the mistakes of its clients with tracebacks too. It ends by an exception only
        // when the main program is unwound.
        let isGeneric = FailureSignature.isGeneric(found)
        let mayBeRequest = found.role == nil || found.role == .apiServer
        if isServing, mayBeRequest, !isGeneric, !found.endedMainProgram { return }
        let alike = exceptions.count { $0.role == found.role }
        guard alike < Self.exceptionsPerRole else { return }
        exceptions.append(found)
    }

    mutating func note(detail: String, ofChain chain: Int) {
        guard let index = exceptions.lastIndex(where: { $0.chain == chain }) else { return }
        if !exceptions[index].detail.isEmpty { exceptions[index].detail += "\n" }
        exceptions[index].detail += detail
    }

    mutating func note(streamerError text: String) {
        guard !wasAskedToStop, streamerErrors.count < Self.streamerLimit, !streamerErrors.contains(text) else { return }
        streamerErrors.append(text)
    }
}
