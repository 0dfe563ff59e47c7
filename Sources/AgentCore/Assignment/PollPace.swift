/// When the control plane is asked for the assignment again.
///
/// A control plane that goes away cuts off every node of its fleet in the same instant. What spreads them again is the
/// first pause: over a few hundred milliseconds a hundred thousand would come back as a herd.
package struct PollPace: Equatable, Sendable {
    /// "Nothing new" sooner than this comes from a server that does not hold requests.
    private static let heldAtLeast = Duration.seconds(1)
    private static let longest = Duration.seconds(30)

    /// For how long the control plane may hold a request: whole seconds.
    package let wait: Duration
    /// From the request to the last byte of the answer.
    package let timeout: Duration
    /// Over which the nodes that it has answered come back once they are cut off.
    package let spread: Duration
    private var away = Backoff(first: .milliseconds(500), longest: longest)
    private var unheld = Backoff(first: .milliseconds(500), longest: longest)

    /// `patience` is how long this node may go without an answer, where that is bounded: several must fit into it.
    package init(patience: Duration? = nil, spread: Duration = .seconds(20)) {
        let third = patience.map { $0 / 3 }
        wait = .seconds(min(30, max(1, third.map { Int($0.inSeconds) } ?? 30)))
        timeout = wait + min(third ?? .seconds(15), .seconds(15))
        self.spread = third.map { min($0, spread) } ?? spread
    }

    /// The control plane has answered; nil asks it again at once. `fraction` draws from 0..<1.
    package mutating func answered(after held: Duration, isNews: Bool, fraction: () -> Double) -> Duration? {
        away = Backoff(first: spread, longest: max(spread, Self.longest))
        guard isNews || held >= Self.heldAtLeast else { return unheld.next(fraction: fraction()) }
        unheld.reset()
        return nil
    }

    /// It has not. What it asks for is the least; the jitter comes on top, because it asks everybody for the same.
    package mutating func failed(retryAfter: Duration?, fraction: () -> Double) -> Duration {
        (retryAfter ?? .zero) + away.next(fraction: fraction())
    }
}
