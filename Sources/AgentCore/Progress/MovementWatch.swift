/// When an engine last showed a sign of life. It has no deadline in seconds for a start: what moves, however slowly,
/// goes on; what stands still in every respect is stalled.
package struct MovementWatch: Equatable, Sendable {
    package private(set) var lastMovement: BootInstant
    package private(set) var lastReceived: BootInstant
    private var seen = EngineVitals(cpuTicks: [:], diskBytes: 0, logBytes: 0)
    private var window: CPUWindow
    private var gpuBytes: UInt64?

    package init(since start: BootInstant) {
        lastMovement = start
        lastReceived = start
        window = CPUWindow(begin: start, ticks: [:])
    }

    package mutating func observe(_ vitals: EngineVitals, at now: BootInstant) {
        let received = vitals.traffic?.receivedBytes != seen.traffic?.receivedBytes
        if received { lastReceived = now }
        let read = vitals.logBytes != seen.logBytes || vitals.diskBytes != seen.diskBytes
        let allocated = gpuMoved(to: vitals.gpuBytes)
        if window.moved(to: vitals.cpuTicks, at: now) || read || received || allocated {
            lastMovement = now
        }
        seen = vitals
    }

    /// Others may use the same GPU for a little; an engine's steps are larger.
    private static let gpuStep: UInt64 = 16 << 20

    /// A look that failed says nothing, and the first one nothing yet.
    private mutating func gpuMoved(to bytes: UInt64?) -> Bool {
        guard let bytes else { return false }
        guard let before = gpuBytes else {
            gpuBytes = bytes
            return false
        }
        guard max(bytes, before) - min(bytes, before) >= Self.gpuStep else { return false }
        gpuBytes = bytes
        return true
    }

    /// A line of the log that was understood.
    package mutating func moved(at now: BootInstant) {
        lastMovement = now
    }

    /// nil while anything moves.
    package func stall(isFetchingConfiguration: Bool, after limit: Duration, at now: BootInstant) -> Stall? {
        guard limit > .zero else { return nil }
        if now - lastMovement >= limit { return Stall(cause: .everything, since: now - lastMovement) }
        // The configuration comes without a line in the log, by a client that waits for minutes: a connection that is
        // open and brings nothing is all there is to see.
        guard isFetchingConfiguration, let traffic = seen.traffic, traffic.connections > 0 else { return nil }
        return now - lastReceived >= limit ? Stall(cause: .connection, since: now - lastReceived) : nil
    }
}

package struct Stall: Equatable, Sendable {
    package enum Cause: Equatable, Sendable {
        /// Log, CPU time, disk, network and, where it can be seen, GPU memory: all of them.
        case everything
        /// A connection to the store is open and brings nothing.
        case connection
    }

    package var cause: Cause
    package var since: Duration
}

/// Processes that wait still wake up: CPU time counts as movement from 5 % of a core in one process on. (A streamer
/// whose store went silent was measured at 1.3 % with 16 connections, in each rank; a process that computes takes all
/// of a core.)
private struct CPUWindow: Equatable, Sendable {
    static let length = Duration.seconds(5)
    static let ticks: UInt64 = 25

    var begin: BootInstant
    var ticks: [Int32: UInt64]

    mutating func moved(to now: [Int32: UInt64], at instant: BootInstant) -> Bool {
        // Processes that come and go are movement, too.
        let moved = now.keys != ticks.keys || now.contains { $0.value >= (ticks[$0.key] ?? 0) + Self.ticks }
        if moved || instant - begin >= Self.length { self = CPUWindow(begin: instant, ticks: now) }
        return moved
    }
}
