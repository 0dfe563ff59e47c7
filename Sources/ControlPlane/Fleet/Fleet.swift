internal import AgentWire
internal import Locking

/// What is known of the nodes right now, in memory alone: who was heard when, and what each pushed last.
package final class Fleet: Sendable {
    /// What a node pushed last.
    package struct Beat: Sendable {
        package var heartbeat: NodeHeartbeat
        package var receivedAt: Double
    }

    package struct Look: Sendable {
        package var status: FleetLiveness.Status
        /// Seconds since the node was last heard; nil where it never was.
        package var silence: Double?
        package var beat: Beat?
        /// Seconds since.
        package var beatAge: Double?
    }

    package struct Summary: Sendable {
        package var counts: [FleetLiveness.Status: Int]
        /// Seconds for which the brake has been on; nil while it is off.
        package var brakedFor: Double?
        package var interval: Int
        package var heartbeatBytes: Int
    }

    private struct State {
        var liveness: FleetLiveness
        var beats: [String: Beat] = [:]
        var bytes = 0
        /// For good: a request may have been under way meanwhile, and a revoked node may go on speaking.
        var revoked: Set<String>
        /// Nodes that are expected to come back to a server which has only just started, and push.
        var returning: Int
    }

    private static let shortestInterval = 10
    private static let longestInterval = 60
    /// Heartbeats a second that this server asks of its fleet as a whole.
    private static let heartbeatsPerSecond = 5000

    private let state: Mutex<State>
    private let maximumBytes: Int
    private let asksForHeartbeats: Bool
    private let graceUntil: Double
    private let now: @Sendable () -> Double

    /// `maximumBytes`: of documents kept; of nodes beyond, only state and progress are known. `now`: seconds on a
    /// clock that never goes back.
    package init(
        past: [String: FleetLiveness.Past] = [:], revoked: Set<String> = [],
        settings: FleetLiveness.Settings = FleetLiveness.Settings(),
        asksForHeartbeats: Bool = true, maximumBytes: Int = 160 << 20,
        now: @escaping @Sendable () -> Double = Fleet.uptime
    ) {
        self.now = now
        self.maximumBytes = maximumBytes
        self.asksForHeartbeats = asksForHeartbeats
        let began = now()
        graceUntil = began + settings.grace
        state = Mutex(
            State(
                liveness: FleetLiveness(settings: settings, past: past, at: began), revoked: revoked,
                returning: past.count { $0.value == .present }))
    }

    @Sendable package static func uptime() -> Double {
        let (seconds, attoseconds) = (ContinuousClock.now - origin).components
        return Double(seconds) + Double(attoseconds) / 1e18
    }

    private static let origin = ContinuousClock.now

    /// `state`: as an event or a heartbeat names it; nil where the request says nothing about it.
    package func heard(_ node: String, state nodeState: String? = nil) {
        let now = now()
        state.withLock { state in
            guard !state.revoked.contains(node) else { return }
            state.liveness.heard(node, leaving: nodeState.map { $0 == "stopped" }, at: now)
        }
    }

    /// Seconds between the heartbeats that nodes are asked to push; nil where they are not asked.
    package var wantedInterval: Int? {
        asksForHeartbeats ? state.withLock { interval($0) } : nil
    }

    /// Seconds until the node is to push again.
    package func take(_ heartbeat: NodeHeartbeat, from node: String) -> Int {
        let now = now()
        return state.withLock { state in
            guard !state.revoked.contains(node) else { return interval(state) }
            state.liveness.heard(node, leaving: heartbeat.state == "stopped", at: now)
            state.bytes -= state.beats[node]?.heartbeat.text.count ?? 0
            var kept = heartbeat
            if state.bytes + kept.text.count > maximumBytes { kept.text = [] }
            state.bytes += kept.text.count
            state.beats[node] = Beat(heartbeat: kept, receivedAt: now)
            if now >= graceUntil { state.returning = 0 }
            return interval(state)
        }
    }

    /// The node was revoked.
    package func remove(_ node: String) {
        state.withLock { state in
            state.revoked.insert(node)
            state.liveness.remove(node)
            state.bytes -= state.beats.removeValue(forKey: node)?.heartbeat.text.count ?? 0
        }
    }

    package func releaseBrake() {
        state.withLock { $0.liveness.releaseBrake() }
    }

    /// To be called every few seconds.
    package func changes() -> [FleetLiveness.Change] {
        let now = now()
        return state.withLock { $0.liveness.look(at: now) }
    }

    package func look(at node: String) -> Look {
        let now = now()
        return state.withLock { state in
            let (status, heardAt) = state.liveness.status(of: node, at: now)
            let beat = state.beats[node]
            return Look(
                status: status, silence: heardAt.map { now - $0 }, beat: beat,
                beatAge: beat.map { now - $0.receivedAt })
        }
    }

    package func summary() -> Summary {
        let now = now()
        return state.withLock { state in
            Summary(
                counts: state.liveness.counts(at: now), brakedFor: state.liveness.brakedSince.map { now - $0 },
                interval: interval(state), heartbeatBytes: state.bytes)
        }
    }

    /// Were the first nodes that come back taken for all, they would be asked for more than usual when there is most to do.
    private func interval(_ state: State) -> Int {
        let nodes = max(state.beats.count, state.returning)
        let needed = (nodes + Self.heartbeatsPerSecond - 1) / Self.heartbeatsPerSecond
        return min(max(needed, Self.shortestInterval), Self.longestInterval)
    }
}
