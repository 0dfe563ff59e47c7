internal import AgentCore

/// Where every task of the agent leaves what it has learned, stamped with the boot clock.
struct Inbox: Sendable {
    struct Arrival: Sendable {
        var matter: Matter
        var at: BootInstant
    }

    /// An event and when it happened.
    struct Happening: Sendable {
        var event: NodeEvent
        var at: BootInstant
    }

    enum Matter: Sendable {
        case event(NodeEvent)
        /// A timer's end; the number tells a cancelled or re-armed timer from the one that counts.
        case timer(NodeTimer, number: UInt64)
        /// Everything that an earlier agent has left is told.
        case settledIn
        /// It is time to show the service manager that the run loop runs.
        case watchdog
    }

    private let continuation: AsyncStream<Arrival>.Continuation
    private let clocks: any Clocks

    /// Producers are few and each is bounded by its source; see `SeenFacts` for the log.
    static func make(clocks: any Clocks) -> (inbox: Inbox, arrivals: AsyncStream<Arrival>) {
        let (arrivals, continuation) = AsyncStream<Arrival>.makeStream()
        return (Inbox(continuation: continuation, clocks: clocks), arrivals)
    }

    func send(_ event: NodeEvent) {
        send(event, at: clocks.now())
    }

    /// For those who know better when it happened.
    func send(_ event: NodeEvent, at instant: BootInstant) {
        continuation.yield(Arrival(matter: .event(event), at: instant))
    }

    func settledIn() {
        continuation.yield(Arrival(matter: .settledIn, at: clocks.now()))
    }

    func watchdogDue() {
        continuation.yield(Arrival(matter: .watchdog, at: clocks.now()))
    }

    func timerEnded(_ timer: NodeTimer, number: UInt64) {
        continuation.yield(Arrival(matter: .timer(timer, number: number), at: clocks.now()))
    }
}
