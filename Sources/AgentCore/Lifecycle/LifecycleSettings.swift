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
    /// From the loss of a worker to the verdict, while serving: clients wait.
    package var settleServing = Duration.milliseconds(300)
    /// The same while loading: the main process follows within seconds, with exit code and reason.
    package var settleLoading = Duration.seconds(5)
    /// How long the kernel may take to end what was sent SIGKILL; a process that hangs in a driver never ends.
    package var stuck = Duration.seconds(10)
    package var probeWhileLoading = Duration.milliseconds(500)
    package var probeWhileListening = Duration.milliseconds(10)
    /// Five seconds of these; what is not listening then is not about to.
    package var quickProbes = 500
    package var probeWhileServing = Duration.seconds(2)
    /// Probes without an answer after which a serving engine is not called ready any more.
    package var missesUntilNotReady = 3
    /// Probes without an answer after which it is ended: two minutes of silence.
    package var missesUntilFailed = 30
    package var canaryRetry = Duration.seconds(1)
    package var canaryAttempts = 3
    /// How often systemd is asked for more time while the start moves.
    package var keepAlive = Duration.seconds(20)
    /// A start without a sign of life is given more time by systemd for at least this long.
    package var stillness = Duration.seconds(60)
    /// A start that shows no sign of life at all for this long is ended; zero lets it stand.
    package var stallAfter = Duration.seconds(60)
    /// A control plane that is away for this long stops the node; nil lets it serve on.
    package var partitionStop: Duration?
    /// How long the last events may take to be delivered before the agent leaves them to its successor.
    package var delivery = Duration.seconds(10)

    package init() {}
}
