/// A stretch of a start that is accounted for. A phase that another one interrupts has a span for each of its parts.
package struct PhaseSpan: Equatable, Sendable {
    package var phase: Phase
    package var start: BootInstant
    package var end: BootInstant
    package var startSource: Timeline.Source
    /// Who saw the end; nil while the phase goes on, and where the start ended within it without a sign.
    package var endSource: Timeline.Source?
    /// What is known about it, in a few words.
    package var detail: String?
    /// What was read in it; nil where nobody counted.
    package var bytes: Int64?

    package var seconds: Double { (end - start).inSeconds }

    package var bytesPerSecond: Double? {
        guard let bytes, seconds > 0 else { return nil }
        return Double(bytes) / seconds
    }
}

/// What a phase lays claim to. Where two claim the same time the later one in the list has it.
struct PhaseClaim: Equatable {
    var phase: Phase
    var begin: Moment
    var end: Moment
    /// Nobody saw its end: the start ends within it, or has not come further.
    var isOpen = false
}

/// Lays claims over each other, so that every instant belongs to one phase or to none.
enum PhasePainter {
    static func spans(_ claims: [PhaseClaim], from: BootInstant, to: BootInstant) -> [PhaseSpan] {
        let clipped = claims.compactMap { clip($0, from, to) }
        let cuts = Set(clipped.flatMap { [$0.begin.at, $0.end.at] }).sorted()
        var spans: [PhaseSpan] = []
        var last: Int?
        for (lower, upper) in zip(cuts, cuts.dropFirst()) {
            guard let owner = clipped.lastIndex(where: { $0.begin.at <= lower && upper <= $0.end.at }) else {
                last = nil
                continue
            }
            if owner == last {
                spans[spans.count - 1].end = upper
            } else {
                let span = PhaseSpan(
                    phase: clipped[owner].phase, start: lower, end: upper,
                    startSource: source(at: lower, of: clipped[owner].begin, clipped))
                spans.append(span)
            }
            let claim = clipped[owner]
            spans[spans.count - 1].endSource =
                claim.isOpen && upper == claim.end.at ? nil : source(at: upper, of: claim.end, clipped)
            last = owner
        }
        return withInstants(spans, clipped)
    }

    private static func clip(_ claim: PhaseClaim, _ from: BootInstant, _ to: BootInstant) -> PhaseClaim? {
        var claim = claim
        guard claim.begin.at <= claim.end.at, claim.begin.at <= to, claim.end.at >= from else { return nil }
        claim.begin.at = max(claim.begin.at, from)
        claim.end.at = min(claim.end.at, to)
        return claim
    }

    /// Who saw the edge at `instant`: the claim's own witness, or that of the phase which interrupts it.
    private static func source(at instant: BootInstant, of own: Moment, _ claims: [PhaseClaim]) -> Timeline.Source {
        if own.at == instant { return own.source }
        for claim in claims.reversed() {
            if claim.begin.at == instant { return claim.begin.source }
            if claim.end.at == instant { return claim.end.source }
        }
        return own.source
    }

    /// What took less than the clock can tell still happened.
    private static func withInstants(_ spans: [PhaseSpan], _ claims: [PhaseClaim]) -> [PhaseSpan] {
        var all = spans
        for claim in claims where claim.begin.at == claim.end.at {
            let instant = claim.begin.at
            guard !spans.contains(where: { $0.start < instant && instant < $0.end }) else { continue }
            all.append(
                PhaseSpan(
                    phase: claim.phase, start: instant, end: instant, startSource: claim.begin.source,
                    endSource: claim.isOpen ? nil : claim.end.source))
        }
        return all.sorted { ($0.start, $0.end, $0.phase.order) < ($1.start, $1.end, $1.phase.order) }
    }
}

extension Phase {
    /// Where it stands among all of them.
    var order: Int { Self.allCases.firstIndex(of: self) ?? 0 }
}
