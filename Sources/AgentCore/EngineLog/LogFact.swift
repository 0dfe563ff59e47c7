/// What a line of the engine's log says, once understood. Text alone never makes the node READY.
package enum LogFact: Equatable, Sendable {
    /// The engine's own version, from its banner.
    case version(String)
    /// `non-default args:`, as printed, at most 4 KiB.
    case nonDefaultArguments(String)
    case configResolved(architecture: String)
    case engineCoreInitialising(version: String)
    case workerInitialising
    case modelLoadStarted
    case modelInitialised(seconds: Double)
    case weightsProgress(done: Int, total: Int)
    /// The streamer's own summary.
    case streamed(bytes: Double, seconds: Double, bytesPerSecond: Double)
    case weightsLoaded(seconds: Double)
    /// GiB is GPU memory taken, not bytes read. Seconds are absent before 0.8.
    case modelLoaded(gib: Double, seconds: Double?)
    case compileStarted
    case compileCacheHit
    case compileCacheMiss
    case compiled(seconds: Double)
    case kvCacheMemory(gib: Double)
    case kvCache(tokens: Int, maxConcurrency: Double?)
    case graphCaptureStarted
    case graphCaptured(seconds: Double)
    case engineInitialised(seconds: Double)
    /// About to listen on this URL; the socket follows.
    case serverStarting(url: String)
    case serverProcessStarted(pid: Int32)
    case startupComplete
    case shutdownTriggered
    case draining(requests: Int)
    /// The last line of a traceback or an argparse error.
    case exception(LogException)
}

package struct LogException: Equatable, Sendable {
    /// `ValueError`, `botocore.exceptions.ClientError`, `error` for argparse.
    package var type: String
    package var message: String
    /// `APIServer`, `EngineCore`, `Worker`, or nil where the line has no prefix.
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
