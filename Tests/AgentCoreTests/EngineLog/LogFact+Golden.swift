internal import AgentCore

extension LogFact {
    /// One line for a golden file.
    var golden: String {
        switch self {
        case .version(let version): "version \(version)"
        case .launcher(let text): "launcher \(text)"
        case .nonDefaultArguments(let text): "arguments \(text.prefix(40))"
        case .allArguments(let text): "all-arguments \(text.prefix(40))"
        case .configResolved(let architecture): "config \(architecture ?? "-")"
        case .maxModelLength(let length): "max-model-len \(length)"
        case .engineProcessStarted(let pid): "engine-process \(pid)"
        case .engineCoreInitialising(let version): "engine-core \(version)"
        case .workerInitialising: "worker-initialising"
        case .workerInitialised(let rank, let size): "worker \(rank)/\(size)"
        case .modelLoadStarted: "load-started"
        case .modelInitialised(let seconds): "model-initialised \(seconds)"
        case .weightsProgress(let done, let total, let unit): "bar \(done)/\(total) \(unit?.rawValue ?? "-")"
        case .streamConcurrency(let number): "stream-concurrency \(number)"
        case .streamMemoryLimit(let bytes): "stream-memory-limit \(bytes)"
        case .streamPlanned(let bytes, let files): "stream-planned \(bytes) \(files)"
        case .streamed(let bytes, let seconds, let rate): "streamed \(bytes) \(seconds) \(rate)"
        case .weightsLoaded(let seconds): "weights-loaded \(seconds)"
        case .modelLoaded(let gib, let seconds): "model-loaded \(gib.golden) \(seconds.golden)"
        case .warmupStarted: "warmup-started"
        case .warmupFinished(let seconds): "warmup-finished \(seconds.golden)"
        default: goldenOfTheRest
        }
    }

    private var goldenOfTheRest: String {
        switch self {
        case .compileStarted: "compile-started"
        case .bytecodeTransformed(let seconds): "bytecode \(seconds)"
        case .compileCacheHit: "cache-hit"
        case .compileCacheMiss: "cache-miss"
        case .compiled(let seconds): "compiled \(seconds)"
        case .memoryProfiled(let seconds): "memory-profiled \(seconds)"
        case .kvCacheMemory(let gib): "kv-memory \(gib)"
        case .kvCache(let tokens, let concurrency): "kv-cache \(tokens) \(concurrency.golden)"
        case .kvCacheBlocks(let device, let host): "kv-blocks \(device) \(host)"
        case .maxConcurrency(let factor, let tokens): "max-concurrency \(factor) \(tokens)"
        case .graphCaptureStarted: "capture-started"
        case .graphCaptureProgress(let done, let total): "capture \(done)/\(total)"
        case .graphCaptured(let seconds): "captured \(seconds)"
        case .engineInitialised(let seconds): "engine-initialised \(seconds)"
        case .serverStarting(let url): "server-starting \(url)"
        case .serverProcessStarted(let pid): "server-process \(pid)"
        case .startupComplete: "startup-complete"
        case .shutdownTriggered: "shutdown-triggered"
        case .draining(let requests): "draining \(requests)"
        case .serverStopping: "server-stopping"
        case .serverStopped(let pid): "server-stopped \(pid)"
        case .processDied(let text): "died \(text)"
        case .exception(let exception):
            "exception \(exception.process ?? "-") \(exception.type): \(exception.message)"
        default: "?"
        }
    }
}

extension Double? {
    fileprivate var golden: String { map { "\($0)" } ?? "-" }
}

extension FailureReport {
    var golden: String { "\(failure.rawValue) \(process ?? "-") \(message)" }
}
