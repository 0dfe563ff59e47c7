// Which concurrency the next load is made with, after those before it.

extension LearnedLoads {
    /// More of it is tried only where so much of the link is idle.
    private static let linkIsFull = 0.85
    /// So much faster is faster, and not the noise of a link.
    private static let isBetter = 1.05

    /// The best that was measured; twice that once, where the link was not full and nobody has tried it yet.
    func concurrency(instead modelled: Chosen<Int>, linkBytesPerSecond: Double?, atMost: Int) -> Chosen<Int> {
        let most = min(highestConcurrency ?? .max, atMost)
        guard let best else { return limited(modelled, to: most, linked: highestConcurrency != nil) }
        let rate = "\(Int(best.rate / 1e6)) MB/s"
        let next = best.concurrency * 2
        let isIdle = linkBytesPerSecond.map { best.rate < Self.linkIsFull * $0 } ?? false
        if isIdle, next <= most, rates[next] == nil {
            return Chosen(next, "\(best.concurrency) brought \(rate) of a faster link; twice that is tried once")
        }
        let kept = Chosen(best.concurrency, "the best of \(loads.count) measured loads: \(rate)")
        return limited(kept, to: most, linked: highestConcurrency != nil)
    }

    private func limited(_ chosen: Chosen<Int>, to most: Int, linked: Bool) -> Chosen<Int> {
        guard linked, chosen.value > most else { return chosen }
        return Chosen(most, "stepped down: with more an earlier load failed (\(chosen.value) otherwise)")
    }

    /// The lowest that no other beats clearly.
    private var best: (concurrency: Int, rate: Double)? {
        let known = rates.sorted { $0.key < $1.key }
        guard let first = known.first else { return nil }
        return known.dropFirst().reduce((first.key, first.value)) { best, next in
            next.value > best.1 * Self.isBetter ? (next.key, next.value) : best
        }
    }

    /// Medians, by concurrency.
    private var rates: [Int: Double] {
        Dictionary(grouping: loads, by: \.concurrency).mapValues { loads in
            let sorted = loads.map(\.bytesPerSecond).sorted()
            return sorted[sorted.count / 2]
        }
    }
}
