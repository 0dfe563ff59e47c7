extension LogFact {
    /// The phase that this line shows to have begun; nil for lines that only tell more about one.
    var phase: Phase? {
        switch self {
        case .version, .nonDefaultArguments, .allArguments, .configResolved, .maxModelLength: .engineConfig
        case .engineProcessStarted, .engineCoreInitialising: .engineCoreSpawn
        case .workerInitialising, .workerInitialised: .workerSpawn
        case .modelLoadStarted: .modelInit
        case .modelInitialised, .streamConcurrency, .streamMemoryLimit, .streamPlanned: .weightsStream
        case .weightsProgress(let done, let total, _): done >= total && total > 0 ? .weightsDone : .weightsStream
        case .streamed, .weightsLoaded, .modelLoaded: .weightsDone
        case .compileStarted, .bytecodeTransformed, .compileCacheHit, .compileCacheMiss: .compile
        case .memoryProfiled, .kvCacheMemory, .kvCache, .kvCacheBlocks, .maxConcurrency: .kvProfile
        case .graphCaptureStarted, .graphCaptureProgress: .graphCapture
        case .serverStarting, .serverProcessStarted, .startupComplete: .serverListening
        case .warmupStarted, .warmupFinished, .compiled, .graphCaptured, .engineInitialised, .shutdownTriggered,
            .draining, .serverStopping, .serverStopped, .processDied, .exception, .launcher:
            nil
        }
    }

    /// uvicorn prints this just before it listens.
    var announcesListening: Bool {
        switch self {
        case .serverProcessStarted, .startupComplete: true
        default: false
        }
    }
}
