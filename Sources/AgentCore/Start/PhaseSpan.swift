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
        for (index, cut) in cuts.enumerated() {
            // What took less than the clock can tell still happened.
            for claim in clipped where claim.begin.at == cut && claim.end.at == cut {
                spans.append(span(of: claim, from: cut, to: cut, clipped))
                last = nil
            }
            guard index + 1 < cuts.count else { break }
            let next = cuts[index + 1]
            let owner = clipped.lastIndex { $0.begin.at <= cut && next <= $0.end.at }
            if let owner {
                let start = owner == last ? spans.removeLast().start : cut
                spans.append(span(of: clipped[owner], from: start, to: next, clipped))
            }
            last = owner
        }
        return spans
    }

    private static func span(
        of claim: PhaseClaim, from start: BootInstant, to end: BootInstant, _ claims: [PhaseClaim]
    ) -> PhaseSpan {
        PhaseSpan(
            phase: claim.phase, start: start, end: end, startSource: source(at: start, of: claim.begin, claims),
            endSource: claim.isOpen && end == claim.end.at ? nil : source(at: end, of: claim.end, claims))
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
}

extension Phase {
    /// Where it stands among all of them.
    var order: Int { Self.allCases.firstIndex(of: self) ?? 0 }
}
