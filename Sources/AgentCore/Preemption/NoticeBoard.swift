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
        var sighting: Sighting
        var firstSeenAt: BootInstant
        /// The first look that did not show it any more.
        var missingSince: BootInstant?
    }

    /// One empty answer may be a hiccup of the metadata service; a look a second later confirms it.
    private static let confirmation = Duration.milliseconds(900)
    /// Failing for so long is blind; told within ten seconds, with looks at most two seconds apart.
    private static let blindAfter = Duration.seconds(5)
    /// A machine that is still there so long after its time was spared.
    package static let lapsesAfter = Duration.seconds(120)
    /// Metadata services list a few things at most.
    private static let capacity = 32

    package private(set) var sources: [SourceHealth] = []
    package private(set) var notice: Notice?
    private var entries: [Entry] = []
    /// Origins whose notice lapsed: AWS goes on showing a time that is over.
    private var lapsed: Set<String> = []
    package private(set) var place = CloudPlace(.generic)

    package init() {}

    /// What a cloud's own metadata has said is kept while the cloud is the same.
    package mutating func settle(_ place: CloudPlace) {
        self.place = place.cloud == self.place.cloud ? self.place.completed(by: place) : place
    }

    /// Takes over what an earlier agent of this boot persisted.
    package mutating func resume(_ earlier: Notice) {
        notice = earlier
    }

    package mutating func take(_ finding: SourceFinding, from source: String, at now: BootInstant) -> [Change] {
        switch finding {
        case .failed(let reason): return failed(source, reason, at: now)
        case .listed(let key, let sightings):
            return answered(source, at: now) + list(sightings.prefix(Self.capacity), source, key, at: now)
        case .noted(let key, let sightings):
            return list(sightings.prefix(Self.capacity), source, key, at: now)
        case .over(let key):
            return end(source, key)
        case .place(let place):
            self.place = place.completed(by: self.place)
            return []
        }
    }

    /// To be called when the notice's deadline is `lapsesAfter` ago.
    package mutating func lapse(at now: BootInstant) -> [Change] {
        guard let notice, now - notice.deadline >= Self.lapsesAfter else { return [] }
        for entry in entries where entry.sighting.kind.endsTheNode { lapsed.insert(entry.sighting.origin) }
        entries.removeAll { $0.sighting.kind.endsTheNode }
        self.notice = nil
        return [.lapsed(notice)]
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
        _ sightings: ArraySlice<Sighting>, _ source: String, _ key: String, at now: BootInstant
    ) -> [Change] {
        var changes: [Change] = []
        for sighting in sightings { changes += see(sighting, source, key, at: now) }
        changes += miss(except: Set(sightings.map(\.origin)), source, key, at: now)
        return changes
    }

    private mutating func see(
        _ sighting: Sighting, _ source: String, _ key: String, at now: BootInstant
    ) -> [Change] {
        guard !lapsed.contains(sighting.origin) else { return [] }
        if let index = entries.firstIndex(where: { $0.source == source && $0.sighting.origin == sighting.origin }) {
            entries[index].missingSince = nil
            // A started event has no time any more; the time that was named stays.
            guard sighting.kind.endsTheNode, let deadline = sighting.deadline else { return [] }
            return hasten(to: deadline)
        }
        if isLongOver(sighting, at: now) {
            lapsed.insert(sighting.origin)
            return [.lapsed(made(sighting, source, at: now))]
        }
        entries.append(Entry(source: source, key: key, sighting: sighting, firstSeenAt: now))
        let fresh = made(sighting, source, at: now)
        guard sighting.kind.endsTheNode else { return [.advised(fresh)] }
        guard notice == nil else { return hasten(to: fresh.deadline) }
        notice = fresh
        return [.began(fresh)]
    }

    private func isLongOver(_ sighting: Sighting, at now: BootInstant) -> Bool {
        guard let deadline = sighting.deadline else { return false }
        return now - deadline >= Self.lapsesAfter
    }

    private func made(_ sighting: Sighting, _ source: String, at now: BootInstant) -> Notice {
        let id = [source, sighting.origin, sighting.mark].filter { !$0.isEmpty }.joined(separator: "/")
        return Notice(
            id: id, kind: sighting.kind, source: source, firstSeenAt: now,
            deadline: sighting.deadline ?? now + place.cloud.shortestNotice, word: sighting.word)
    }

    private mutating func hasten(to deadline: BootInstant) -> [Change] {
        guard var sooner = notice, deadline < sooner.deadline else { return [] }
        let isWorthTelling = sooner.deadline - deadline >= .seconds(1)
        sooner.deadline = deadline
        notice = sooner
        return isWorthTelling ? [.sooner(sooner)] : []
    }

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
            isGone = isGone || entry.sighting.kind.endsTheNode
            entries.remove(at: index)
        }
        lapsed = lapsed.filter { seen.contains($0) || !$0.hasPrefix(key) }
        return isGone ? withdrawUnlessOthersSpeak() : []
    }

    private mutating func end(_ source: String, _ key: String) -> [Change] {
        let before = entries.count
        entries.removeAll { $0.source == source && $0.key == key }
        return entries.count < before ? withdrawUnlessOthersSpeak() : []
    }

    private mutating func withdrawUnlessOthersSpeak() -> [Change] {
        guard let notice, !entries.contains(where: { $0.sighting.kind.endsTheNode }) else { return [] }
        self.notice = nil
        return [.withdrawn(notice)]
    }
}
