/// What a start is expected to take, from those before it.
package struct StartExpectation: Equatable, Sendable {
    /// Seconds from the exec, the median of the earlier starts; phases that not all of them had are left out.
    package var offsets: [Phase: Double]
    package var ready: Double
    /// How many starts this was learned from.
    package var starts: Int

    package init?(of records: [StartRecord]) {
        guard let first = records.first else { return nil }
        starts = records.count
        ready = Self.median(records.map(\.ready))
        offsets = first.offsets.keys.reduce(into: [:]) { offsets, phase in
            let seen = records.compactMap { $0.offsets[phase] }
            if seen.count == records.count { offsets[phase] = Self.median(seen) }
        }
    }

    private static func median(_ values: [Double]) -> Double {
        let sorted = values.sorted()
        let middle = sorted.count / 2
        return sorted.count.isMultiple(of: 2) ? (sorted[middle - 1] + sorted[middle]) / 2 : sorted[middle]
    }
}

/// How long until the model serves.
package struct Estimate: Equatable, Sendable {
    package var seconds: Double
    /// How many earlier starts it rests on.
    package var starts: Int
    /// This phase has taken longer than it did before; `seconds` is what comes after it.
    package var isLate: Bool
}

extension StartExpectation {
    /// From the last phase that both have seen. `weightsLeft` is what the weights themselves still need, in seconds,
    /// where their bytes tell: this node's link, today, counts for more than what was learned.
    package func estimate(_ timeline: Timeline, weightsLeft: Double?, at now: BootInstant) -> Estimate? {
        let known = timeline.marks.last { $0.phase == .engineExec || offsets[$0.phase] != nil }
        guard let mark = known else { return nil }
        let begun = offset(mark.phase)
        let next = offsets.values.filter { $0 > begun }.min() ?? ready
        let elapsed = max(0, (now - mark.at).inSeconds)
        if mark.phase == .weightsStream, let weightsLeft {
            return Estimate(seconds: weightsLeft + max(0, ready - next), starts: starts, isLate: false)
        }
        let left = max(ready - begun - elapsed, ready - next)
        return Estimate(seconds: max(0, left), starts: starts, isLate: elapsed > next - begun + 1)
    }

    private func offset(_ phase: Phase) -> Double {
        phase == .engineExec ? 0 : offsets[phase] ?? 0
    }
}
