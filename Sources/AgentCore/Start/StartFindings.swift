/// What a start told about itself on its way.
struct StartFindings: Equatable, Sendable {
    private(set) var version: String?
    private(set) var arguments: String?
    /// How the launcher started the engine.
    private(set) var launched: String?
    /// Why the engine that waited is not what was launched.
    private(set) var refused: String?
    /// Why the checkpoint that was there is of no use.
    private(set) var notRestored: String?
    /// What it could not fork, and why.
    private(set) var spawned: String?
    private(set) var architecture: String?
    private(set) var ranks = 1
    private(set) var done = 0
    private(set) var items = 0
    private(set) var unit: WeightsUnit?
    private(set) var saidConcurrency: Int?
    private(set) var saidMemoryLimit: Int?
    private(set) var plannedBytes: Double?
    /// The slowest rank's; ranks that stream the whole model each say it.
    private(set) var streamed: Streamed?
    private(set) var loadedGib: Double?
    private(set) var cacheHits = 0
    private(set) var cacheMisses = 0
    private(set) var isCompiling = false
    private(set) var bytecodeSeconds: Double?
    private(set) var compiledSeconds: Double?
    private(set) var kvGib: Double?
    private(set) var kvTokens: Int?
    private(set) var kvBlocks: Int?
    private(set) var concurrency: Double?
    private(set) var graphs = 0
    private(set) var graphSets = 0
    private(set) var url: String?

    /// The streamer's own summary.
    struct Streamed: Equatable, Sendable {
        var bytes: Double
        var seconds: Double
        var bytesPerSecond: Double
    }

    mutating func note(_ fact: LogFact) {
        switch fact {
        case .version(let text): version = text
        case .engineCoreInitialising(let text): version = version ?? text
        case .launcher(let text): noteLauncher(text)
        case .nonDefaultArguments(let text), .allArguments(let text): arguments = text
        case .configResolved(let name): architecture = architecture ?? name
        case .workerInitialised(_, let size): ranks = max(ranks, size)
        case .weightsProgress(let done, let total, let unit): (self.done, items, self.unit) = (done, total, unit)
        case .streamConcurrency(let number): saidConcurrency = number
        case .streamMemoryLimit(let bytes): saidMemoryLimit = bytes
        case .streamPlanned(let bytes, _): plannedBytes = max(plannedBytes ?? 0, bytes)
        case .streamed(let bytes, let seconds, let rate):
            if seconds >= streamed?.seconds ?? 0 {
                streamed = Streamed(bytes: bytes, seconds: seconds, bytesPerSecond: rate)
            }
        case .modelLoaded(let gib?, _): loadedGib = max(loadedGib ?? 0, gib)
        case .serverStarting(let text): url = text
        default: noteInitialisation(fact)
        }
    }

    private mutating func noteLauncher(_ text: String) {
        let modes = ["plain, ", "preload, ", "standby, ", "preload restored ", "standby restored "]
        if text.hasPrefix("not standby, ") {
            refused = text
        } else if text.hasPrefix("not restored, ") {
            notRestored = text
        } else if modes.contains(where: text.hasPrefix) {
            launched = text
        } else {
            spawned = spawned ?? text
        }
    }

    private mutating func noteInitialisation(_ fact: LogFact) {
        switch fact {
        case .compileStarted, .warmupStarted: isCompiling = true
        case .bytecodeTransformed(let seconds):
            isCompiling = true
            bytecodeSeconds = max(bytecodeSeconds ?? 0, seconds)
        case .compileCacheHit: cacheHits += 1
        case .compileCacheMiss: cacheMisses += 1
        case .compiled(let seconds):
            isCompiling = false
            compiledSeconds = max(compiledSeconds ?? 0, seconds)
        case .warmupFinished: isCompiling = false
        case .kvCacheMemory(let gib): kvGib = gib
        case .kvCache(let tokens, let factor): (kvTokens, concurrency) = (tokens, factor ?? concurrency)
        case .kvCacheBlocks(let device, _): kvBlocks = device
        case .maxConcurrency(let factor, _): concurrency = factor
        case .graphCaptureProgress(let done, let total) where done == total:
            graphs += total
            graphSets += 1
        default: break
        }
    }

    var streamedBytes: Int64? {
        streamed.flatMap { Int64(exactly: $0.bytes.rounded()) }
    }
}
