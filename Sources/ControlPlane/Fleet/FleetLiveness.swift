/// Which nodes are there, from when each was last heard. Pure: times are seconds on a clock that never goes back.
///
/// A control plane that was asleep, has just started, or sits behind a broken switch hears nobody. That must not look
/// like the death of the fleet: after a start and after a stall of its own it gives everyone time to come back, and
/// when many fall silent together it declares none of them lost (the brake).
package struct FleetLiveness: Sendable {
    package struct Settings: Sendable {
        /// Seconds of silence. A poll may wait for 60 s, and a node that is refused comes back within 30 s.
        package var lostAfter = 120.0
        /// Seconds after a start, or a stall, in which nobody is declared lost.
        package var grace = 120.0
        /// Looks come at most this many seconds apart, unless this process was held up.
        package var longestPause = 15.0
        /// Share of the fleet that may be lost within `window` seconds.
        package var brakeShare = 0.2
        package var window = 300.0
        /// Nodes; of fewer, any number may be lost together.
        package var brakeMinimum = 3

        package init() {}
    }

    package enum Status: String, CaseIterable, Sendable {
        /// Not heard since this server has started, and never before either.
        case unknown
        case alive
        /// Not heard for too long, and not declared lost: within the grace, or held by the brake.
        case silent
        case lost
        /// It said that it stops.
        case left
    }

    package enum Change: Equatable, Sendable {
        case lost(String)
        /// It was lost, and is heard again.
        case found(String)
        case brakeSet(silent: Int, of: Int)
        case brakeReleased
        /// This process was held up for so many seconds.
        case stalled(Double)
    }

    /// How this process found a node that was heard before it.
    package enum Past: Equatable, Sendable {
        case present
        case left
        case lost
    }

    private struct Member {
        var heardAt: Double
        var isLost = false
        var hasLeft = false
    }

    private let settings: Settings
    private var members: [String: Member] = [:]
    private var graceUntil: Double
    private var lookedAt: Double
    private var recentLosses: [Double] = []
    private var foundAgain: [String] = []
    /// Since when; nil while it is off.
    package private(set) var brakedSince: Double?
    /// An operator has said that the losses are real; until the silence is over.
    private var isOverridden = false

    /// Of `past` only those that were present are expected back: who had left or was lost already is not missed again.
    package init(settings: Settings = Settings(), past: [String: Past] = [:], at now: Double) {
        self.settings = settings
        lookedAt = now
        graceUntil = now + settings.grace
        members = past.mapValues { Member(heardAt: now, isLost: $0 == .lost, hasLeft: $0 == .left) }
    }

    /// Any word of the node. `leaving`: it says that it stops; nil where it says nothing about that.
    package mutating func heard(_ node: String, leaving: Bool? = nil, at now: Double) {
        guard let known = members[node] else {
            members[node] = Member(heardAt: now, hasLeft: leaving ?? false)
            return
        }
        if known.isLost { foundAgain.append(node) }
        members[node] = Member(heardAt: now, hasLeft: leaving ?? known.hasLeft)
    }

    /// For good: it was revoked.
    package mutating func remove(_ node: String) {
        members[node] = nil
    }

    package mutating func releaseBrake() {
        isOverridden = true
    }

    /// What has changed since the last look.
    package mutating func look(at now: Double) -> [Change] {
        var changes = foundAgain.map(Change.found)
        foundAgain = []
        let pause = now - lookedAt
        lookedAt = now
        if pause > settings.longestPause {
            graceUntil = now + settings.grace
            changes.append(.stalled(pause))
        }
        guard now >= graceUntil else { return changes }
        let silent = members.filter { isSilent($0.value, at: now) }.map(\.key)
        recentLosses.removeAll { $0 < now - settings.window }
        guard !isHeld(silent.count) else {
            if brakedSince == nil {
                brakedSince = now
                changes.append(.brakeSet(silent: silent.count, of: present + recentLosses.count))
            }
            return changes
        }
        if brakedSince != nil {
            brakedSince = nil
            changes.append(.brakeReleased)
        }
        if silent.isEmpty { isOverridden = false }
        for node in silent.sorted() {
            members[node]?.isLost = true
            recentLosses.append(now)
            changes.append(.lost(node))
        }
        return changes
    }

    package func status(of node: String, at now: Double) -> (status: Status, heardAt: Double?) {
        guard let member = members[node] else { return (.unknown, nil) }
        if member.isLost { return (.lost, member.heardAt) }
        if member.hasLeft { return (.left, member.heardAt) }
        return (isSilent(member, at: now) ? .silent : .alive, member.heardAt)
    }

    package func counts(at now: Double) -> [Status: Int] {
        var counts: [Status: Int] = [:]
        for node in members.keys { counts[status(of: node, at: now).status, default: 0] += 1 }
        return counts
    }

    /// Neither lost nor gone as told.
    package var present: Int {
        members.values.count { !$0.isLost && !$0.hasLeft }
    }

    private func isSilent(_ member: Member, at now: Double) -> Bool {
        !member.isLost && !member.hasLeft && now - member.heardAt > settings.lostAfter
    }

    /// Losses of the last minutes count too: a fleet must not bleed to death below the limit of one look.
    private func isHeld(_ silent: Int) -> Bool {
        guard !isOverridden, silent > 0 else { return false }
        let losses = silent + recentLosses.count
        let fleet = present + recentLosses.count
        return losses >= settings.brakeMinimum && Double(losses) > settings.brakeShare * Double(fleet)
    }
}
