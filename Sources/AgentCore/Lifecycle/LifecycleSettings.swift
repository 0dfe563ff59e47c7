/// The durations the machine decides with.
package struct LifecycleSettings: Equatable, Sendable {
    /// How long requests in flight may go on after a stop was asked for.
    package var drain = Duration.seconds(30)
    /// What vLLM needs to take itself down after the last token (measured: up to 12 s).
    package var teardown = Duration.seconds(15)
    /// vLLM loses a SIGTERM that comes while it starts; a second one is sent after this long.
    package var secondTerminate = Duration.seconds(2)
    /// From the second SIGTERM to SIGKILL, where nothing is being served.
    package var killAfterSecond = Duration.seconds(3)
    /// From the main process's own end to SIGKILL of what it left behind: Python's resource tracker needs it to
    /// remove shared memory.
    package var leftovers = Duration.milliseconds(1500)
    /// From the loss of a worker to the verdict; the main process often follows with the better reason.
    package var settle = Duration.milliseconds(300)
    package var probeWhileLoading = Duration.milliseconds(500)
    package var probeWhileListening = Duration.milliseconds(10)
    package var probeWhileServing = Duration.seconds(2)
    package var canaryRetry = Duration.seconds(1)
    package var canaryAttempts = 3
    /// How long the last events may take to be delivered before the agent leaves them to its successor.
    package var delivery = Duration.seconds(10)

    package init() {}
}
