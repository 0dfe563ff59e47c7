/// Where all sources meet: who can see, what is pending, and the one notice that counts.
///
/// Deadlines never lengthen. A source that estimates its time anew at every look (`time` in the local IMDS mocks) or
/// a second source that knows better can only bring the end nearer.
package struct NoticeBoard: Equatable, Sendable {
    package enum Change: Equatable, Sendable {
        case began(Notice)
        /// The same notice, nearer than before.
        case sooner(Notice)
        /// Every source that spoke of it has taken it back.
        case withdrawn(Notice)
        /// Its time is long over and the machine is still there.
        case lapsed(Notice)
        /// No notice: reported, and the node goes on.
        case advised(Notice)
        case blind(SourceHealth)
        case sighted(SourceHealth)
    }

    private struct Entry: Equatable, Sendable {
        var source: String
        var key: String
        /// With the earliest deadline that it was ever shown with.
        var sighting: Sighting
        /// As it was shown last.
        var shown: Showing
        /// The first look that did not show it any more.
        var missingSince: BootInstant?

        var endsTheNode: Bool { sighting.kind.endsTheNode }

        func isStillToCome(at now: BootInstant) -> Bool { sighting.deadline.map { $0 > now } ?? false }
    }

    private struct Showing: Equatable, Sendable {
        var deadline: BootInstant?
        var at: BootInstant
    }

    /// One empty answer may be a hiccup of the metadata service; a look a second later confirms it.
    private static let confirmation = Duration.milliseconds(900)
    /// Failing for so long is blind; told within ten seconds, with looks at most two seconds apart.
    private static let blindAfter = Duration.seconds(5)
    /// A machine that is still there so long after its time was spared.
    package static let lapsesAfter = Duration.seconds(120)
    /// Metadata services list a few things at most.
    private static let capacity = 32
    /// A time that jumps by more than this between two looks is another notice and no new estimate.
    private static let jump = Duration.seconds(5)

    package private(set) var sources: [SourceHealth] = []
    package private(set) var notice: Notice?
    /// Its deadline as it was told last: steps that are each too small to tell add up.
    private var told: BootInstant?
    private var entries: [Entry] = []
    /// Origins whose notice lapsed, as they are shown since: AWS goes on showing a time that is over.
    private var lapsed: [String: Showing] = [:]
    package private(set) var place = CloudPlace(.generic)

    package init() {}

    /// What a cloud's own metadata has said is kept while the cloud is the same.
    package mutating func settle(_ place: CloudPlace) {
        self.place = place.cloud == self.place.cloud ? self.place.completed(by: place) : place
    }

    /// Takes over what an earlier agent of this boot persisted. Its source may have taken it back meanwhile, so it has
    /// to be shown again like any other.
    package mutating func resume(_ earlier: Notice) {
        (notice, told) = (earlier, earlier.deadline)
        guard let key = earlier.origin.split(separator: "/").first.map(String.init) else { return }
        let sighting = Sighting(earlier.kind, origin: earlier.origin, deadline: earlier.deadline, word: earlier.word)
        let shown = Showing(deadline: earlier.deadline, at: earlier.firstSeenAt)
        entries.append(Entry(source: earlier.source, key: key, sighting: sighting, shown: shown))
    }

    package mutating func take(_ finding: SourceFinding, from source: String, at now: BootInstant) -> [Change] {
        switch finding {
        case .begun:
            _ = index(of: source, at: now)
            return []
        case .ended:
            // What it has shown stands: nobody has taken it back.
            sources.removeAll { $0.name == source }
            return []
        case .failed(let reason): return failed(source, reason, at: now)
        case .listed(let key, let sightings):
            return answered(source, at: now) + list(sightings, source, key, at: now)
        case .noted(let key, let sightings):
            return list(sightings, source, key, at: now)
        case .over(let key):
            return end(source, key, at: now)
        case .place(let place):
            self.place = place.completed(by: self.place)
            return []
        }
    }

    /// Of each source that speaks of the end, under its own name: whoever it was first, any of them may wait for a word.
    package func ids(at now: BootInstant) -> [String] {
        entries.filter(\.endsTheNode).map { made($0.sighting, $0.source, at: now).id }
    }

    /// To be called when the notice's deadline is `lapsesAfter` ago.
    package mutating func lapse(at now: BootInstant) -> [Change] {
        guard let notice, now - notice.deadline >= Self.lapsesAfter else { return [] }
        for entry in entries where entry.endsTheNode && !entry.isStillToCome(at: now) {
            lapsed[entry.sighting.origin] = entry.shown
        }
        entries.removeAll { $0.endsTheNode && !$0.isStillToCome(at: now) }
        self.notice = nil
        return [.lapsed(notice)] + beginNearest(at: now)
    }
}

// MARK: Health

extension NoticeBoard {
    private mutating func index(of source: String, at now: BootInstant) -> Int {
        if let index = sources.firstIndex(where: { $0.name == source }) { return index }
        sources.append(SourceHealth(name: source, since: now))
        return sources.count - 1
    }

    private mutating func answered(_ source: String, at now: BootInstant) -> [Change] {
        let index = index(of: source, at: now)
        sources[index].lastAnswerAt = now
        sources[index].reason = nil
        guard sources[index].state != .ok else { return [] }
        let wasBlind = sources[index].state == .blind
        sources[index].state = .ok
        sources[index].since = now
        return wasBlind ? [.sighted(sources[index])] : []
    }

    private mutating func failed(_ source: String, _ reason: String, at now: BootInstant) -> [Change] {
        let index = index(of: source, at: now)
        sources[index].reason = reason
        let heard = sources[index].lastAnswerAt ?? sources[index].since
        guard sources[index].state != .blind, now - heard >= Self.blindAfter else { return [] }
        sources[index].state = .blind
        sources[index].since = now
        return [.blind(sources[index])]
    }
}

// MARK: What is pending

extension NoticeBoard {
    private mutating func list(
        _ sightings: [Sighting], _ source: String, _ key: String, at now: BootInstant
    ) -> [Change] {
        // The nearest first: it is the one that the notice is named after.
        let sightings = sightings.sorted { deadline(of: $0, at: now) < deadline(of: $1, at: now) }.prefix(Self.capacity)
        var changes: [Change] = []
        for sighting in sightings { changes += see(sighting, source, key, at: now) }
        changes += miss(except: Set(sightings.map(\.origin)), source, key, at: now)
        return changes
    }

    private mutating func see(
        _ sighting: Sighting, _ source: String, _ key: String, at now: BootInstant
    ) -> [Change] {
        let shown = Showing(deadline: sighting.deadline, at: now)
        if let earlier = lapsed[sighting.origin] {
            lapsed[sighting.origin] = isNews(shown, since: earlier) ? nil : shown
        }
        guard lapsed[sighting.origin] == nil else { return [] }
        if let index = entries.firstIndex(where: { $0.source == source && $0.sighting.origin == sighting.origin }) {
            return seeAgain(sighting, at: index, shown)
        }
        if isLongOver(sighting, at: now) {
            lapsed[sighting.origin] = shown
            return [.lapsed(made(sighting, source, at: now))]
        }
        entries.append(Entry(source: source, key: key, sighting: sighting, shown: shown))
        let fresh = made(sighting, source, at: now)
        guard sighting.kind.endsTheNode else { return [.advised(fresh)] }
        guard notice == nil else { return hasten(to: fresh.deadline, because: sighting) }
        return begin(fresh)
    }

    private mutating func begin(_ fresh: Notice) -> [Change] {
        (notice, told) = (fresh, fresh.deadline)
        return [.began(fresh)]
    }

    private mutating func seeAgain(_ sighting: Sighting, at index: Int, _ shown: Showing) -> [Change] {
        entries[index].missingSince = nil
        entries[index].shown = shown
        // A started event may have no time any more; the one that was named stays.
        guard sighting.kind.endsTheNode, let deadline = sighting.deadline else { return [] }
        entries[index].sighting.deadline = min(entries[index].sighting.deadline ?? deadline, deadline)
        return hasten(to: deadline, because: sighting)
    }

    /// A time that is estimated anew at each look moves as the clock does; one that jumps is another notice.
    private func isNews(_ shown: Showing, since earlier: Showing) -> Bool {
        guard let deadline = shown.deadline else { return false }
        return deadline - (earlier.deadline ?? earlier.at) > shown.at - earlier.at + Self.jump
    }

    private func isLongOver(_ sighting: Sighting, at now: BootInstant) -> Bool {
        guard let deadline = sighting.deadline else { return false }
        return now - deadline >= Self.lapsesAfter
    }

    private func deadline(of sighting: Sighting, at now: BootInstant) -> BootInstant {
        sighting.deadline ?? now + place.cloud.shortestNotice
    }

    private func made(_ sighting: Sighting, _ source: String, at now: BootInstant) -> Notice {
        let id = [source, sighting.origin, sighting.mark].filter { !$0.isEmpty }.joined(separator: "/")
        return Notice(
            id: id, kind: sighting.kind, source: source, firstSeenAt: now,
            deadline: deadline(of: sighting, at: now), word: sighting.word, origin: sighting.origin)
    }

    private mutating func hasten(to deadline: BootInstant, because sighting: Sighting) -> [Change] {
        guard var sooner = notice, deadline < sooner.deadline else { return [] }
        let isWorthTelling = (told ?? sooner.deadline) - deadline >= .seconds(1)
        if isWorthTelling { told = deadline }
        sooner.deadline = deadline
        // A reboot in a quarter of an hour, and then an eviction: what ends the node is the eviction. That the system
        // goes down says less than any reason before it.
        if sighting.origin != sooner.origin, sighting.kind != .shutdown {
            (sooner.kind, sooner.word) = (sighting.kind, sighting.word)
        }
        notice = sooner
        return isWorthTelling ? [.sooner(sooner)] : []
    }
}

// MARK: What is pending no more

extension NoticeBoard {
    private mutating func miss(
        except seen: Set<String>, _ source: String, _ key: String, at now: BootInstant
    ) -> [Change] {
        var isGone = false
        for index in entries.indices.reversed() {
            let entry = entries[index]
            guard entry.source == source, entry.key == key, !seen.contains(entry.sighting.origin) else { continue }
            guard let missingSince = entry.missingSince else {
                entries[index].missingSince = now
                continue
            }
            guard now - missingSince >= Self.confirmation else { continue }
            isGone = isGone || entry.endsTheNode
            entries.remove(at: index)
        }
        lapsed = lapsed.filter { seen.contains($0.key) || !$0.key.hasPrefix(key) }
        return isGone ? withdrawUnlessOthersSpeak(at: now) : []
    }

    private mutating func end(_ source: String, _ key: String, at now: BootInstant) -> [Change] {
        let before = entries.count
        entries.removeAll { $0.source == source && $0.key == key }
        lapsed = lapsed.filter { !$0.key.hasPrefix(key) }
        return entries.count < before ? withdrawUnlessOthersSpeak(at: now) : []
    }

    /// As long as somebody speaks of an end that is about to come, or of one at the same time under another name,
    /// nothing is taken back and nothing lengthens.
    private mutating func withdrawUnlessOthersSpeak(at now: BootInstant) -> [Change] {
        guard let notice else { return [] }
        let soon = max(now + place.cloud.longestNotice, notice.deadline + Self.jump)
        if entries.contains(where: { $0.endsTheNode && deadline(of: $0.sighting, at: now) <= soon }) { return [] }
        self.notice = nil
        return [.withdrawn(notice)] + beginNearest(at: now)
    }

    /// What is left is further away.
    private mutating func beginNearest(at now: BootInstant) -> [Change] {
        let left = entries.filter(\.endsTheNode)
        let nearest = left.min { deadline(of: $0.sighting, at: now) < deadline(of: $1.sighting, at: now) }
        guard let nearest else { return [] }
        return begin(made(nearest.sighting, nearest.source, at: now))
    }
}
