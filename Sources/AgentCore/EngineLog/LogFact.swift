/// What a line of the engine's log says, once understood. Text alone never makes the node READY.
///
/// Facts are what the log claims, in its order: several workers say the same thing several times.
package enum LogFact: Equatable, Sendable {
    /// The engine's own version, from its banner. Also the beginning of a start: a log can hold several.
    case version(String)
    /// How the engine launcher starts the engine, or why not as it was asked to; at most 256 bytes.
    case launcher(String)
    /// `non-default args:`, as printed but for secrets, at most 4 KiB. vLLM ≥ 0.9.
    case nonDefaultArguments(String)
    /// `args: Namespace(…)`, all of them, as printed but for secrets, at most 4 KiB. vLLM ≤ 0.8.
    case allArguments(String)
    /// Configuration and tokenizer have been read. nil before 0.11, which does not name the architecture.
    case configResolved(architecture: String?)
    case maxModelLength(Int)
    /// vLLM ≤ 0.8 with the V0 engine starts it in a process of its own.
    case engineProcessStarted(pid: Int32)
    case engineCoreInitialising(version: String)
    case workerInitialising
    case workerInitialised(rank: Int, worldSize: Int)
    case modelLoadStarted
    case modelInitialised(seconds: Double)
    /// The progress bar. It counts tensors or files, not bytes: it can stand still while bytes flow. nil when the
    /// engine's version is not known.
    case weightsProgress(done: Int, total: Int, unit: WeightsUnit?)
    /// `concurrency` as the loader says it.
    case streamConcurrency(Int)
    /// `memory_limit` in bytes as the loader says it; -1 is unlimited.
    case streamMemoryLimit(Int)
    /// What the streamer is about to read.
    case streamPlanned(bytes: Double, files: Int)
    /// The streamer's own summary.
    case streamed(bytes: Double, seconds: Double, bytesPerSecond: Double)
    /// Every loader but the streamer's says this.
    case weightsLoaded(seconds: Double)
    /// GiB is GPU memory taken, not bytes read. Seconds are absent before 0.8.
    case modelLoaded(gib: Double?, seconds: Double?)
    case warmupStarted
    case warmupFinished(seconds: Double?)
    case compileStarted
    case bytecodeTransformed(seconds: Double)
    case compileCacheHit
    case compileCacheMiss
    case compiled(seconds: Double)
    case memoryProfiled(seconds: Double)
    /// Can be negative: then there is none.
    case kvCacheMemory(gib: Double)
    case kvCache(tokens: Int, maxConcurrency: Double?)
    /// The V0 engine counts blocks (of 16 tokens unless set otherwise).
    case kvCacheBlocks(device: Int, host: Int)
    /// On a line of its own up to 0.26.
    case maxConcurrency(Double, tokensPerRequest: Int)
    case graphCaptureStarted
    case graphCaptureProgress(done: Int, total: Int)
    case graphCaptured(seconds: Double)
    case engineInitialised(seconds: Double)
    /// About to listen on this URL; the socket follows.
    case serverStarting(url: String)
    case serverProcessStarted(pid: Int32)
    case startupComplete
    /// Somebody asked the engine to stop.
    case shutdownTriggered
    case draining(requests: Int)
    /// The HTTP server stops: after a stop was asked for, and after the engine died.
    case serverStopping
    case serverStopped(pid: Int32)
    /// A process of the engine died, in the words of its parent, its runtime or the shell; at most 512 bytes.
    case processDied(String)
    /// The last line of a traceback or an argparse error.
    case exception(LogException)
}

/// What the weights' progress bar counts.
package enum WeightsUnit: String, Sendable {
    case files
    case tensors
}

package struct LogException: Equatable, Sendable {
    /// `ValueError`, `botocore.exceptions.ClientError`, `error` for argparse.
    package var type: String
    /// At most 1 KiB.
    package var message: String
    /// `APIServer`, `EngineCore` or `Worker`, from the line's prefix or, on bare standard error, from the traceback;
    /// nil where neither says.
    package var process: String?

    package init(type: String, message: String, process: String?) {
        self.type = type
        self.message = message
        self.process = process
    }
}

extension LogFact {
    /// The fact's name without its values.
    package var kind: String {
        let text = String(describing: self)
        return String(text.prefix { $0 != "(" })
    }
}
