/// The points that part one phase from the next, in the order in which they come.
///
/// Several workers reach the same one several times: the first begins what follows, the last ends what went before.
enum StartMilestone: Int, Comparable, Sendable {
    case preparing
    case downloading
    case prepared
    case executed
    case spoke
    case banner
    case configured
    case coreSpawned
    case coreUp
    case workerSpawned
    case workerUp
    case loadStarted
    case modelMade
    case weightsMoving
    case weightsDone
    case modelLoaded
    case warmingUp
    case compiling
    case profiled
    case capturing
    case captured
    case engineUp
    case serverStarting
    case listening
    case healthy
    case firstToken

    static func < (left: StartMilestone, right: StartMilestone) -> Bool { left.rawValue < right.rawValue }

    /// Once this one is reached, words about an earlier one are about something else: a draft model's configuration,
    /// a request, an adapter.
    var closing: StartMilestone {
        switch self {
        case .preparing, .downloading, .prepared, .executed: .spoke
        case .spoke: .banner
        case .banner: .configured
        case .configured, .coreSpawned: .coreUp
        case .coreUp, .workerSpawned: .loadStarted
        case .workerUp: .weightsMoving
        case .loadStarted, .modelMade, .weightsMoving, .weightsDone, .modelLoaded: .warmingUp
        case .warmingUp, .compiling, .profiled, .capturing, .captured: .engineUp
        case .engineUp, .serverStarting, .listening: .healthy
        case .healthy, .firstToken: .firstToken
        }
    }
}

extension StartSign {
    /// Where the start stands when this is seen, and who saw it; nil for signs that only add to what is known.
    var milestone: (StartMilestone, Timeline.Source)? {
        switch self {
        case .preparing: (.preparing, .agent)
        case .downloading: (.downloading, .agent)
        case .prepared: (.prepared, .agent)
        case .executed: (.executed, .process)
        case .spoke: (.spoke, .log)
        case .log(let fact): fact.milestone.map { ($0, .log) }
        case .engineCoreSeen: (.coreSpawned, .process)
        case .workerSeen: (.workerSpawned, .process)
        case .portListening: (.listening, .process)
        case .healthy: (.healthy, .probe)
        case .firstToken: (.firstToken, .probe)
        case .received, .ended: nil
        }
    }
}

extension LogFact {
    var milestone: StartMilestone? {
        switch self {
        case .version, .nonDefaultArguments, .allArguments: .banner
        case .configResolved, .maxModelLength: .configured
        case .engineProcessStarted: .coreSpawned
        case .engineCoreInitialising: .coreUp
        case .workerInitialising, .workerInitialised: .workerUp
        case .modelLoadStarted: .loadStarted
        case .modelInitialised: .modelMade
        case .streamConcurrency, .streamMemoryLimit, .streamPlanned: .weightsMoving
        case .weightsProgress(let done, let total, _): done >= total && total > 0 ? .weightsDone : .weightsMoving
        case .streamed, .weightsLoaded: .weightsDone
        case .modelLoaded: .modelLoaded
        case .warmupStarted: .warmingUp
        case .compileStarted, .bytecodeTransformed, .compileCacheHit, .compileCacheMiss, .compiled: .compiling
        case .memoryProfiled, .kvCacheMemory, .kvCache, .kvCacheBlocks, .maxConcurrency: .profiled
        case .graphCaptureStarted, .graphCaptureProgress: .capturing
        case .graphCaptured: .captured
        case .engineInitialised: .engineUp
        case .serverStarting, .serverProcessStarted: .serverStarting
        case .startupComplete: .listening
        case .warmupFinished, .shutdownTriggered, .draining, .serverStopping, .serverStopped, .processDied, .exception:
            nil
        }
    }

    /// What a process says on its way out.
    var isTrouble: Bool {
        switch self {
        case .processDied, .exception: true
        default: false
        }
    }
}
