/// Work that must not overlap, in the order in which it was asked for.
actor OneAtATime {
    private var isBusy = false
    private var waiting: [CheckedContinuation<Void, Never>] = []

    func run<Outcome: Sendable>(_ work: @Sendable () async -> Outcome) async -> Outcome {
        if isBusy { await withCheckedContinuation { waiting.append($0) } }
        isBusy = true
        let outcome = await work()
        if waiting.isEmpty { isBusy = false } else { waiting.removeFirst().resume() }
        return outcome
    }
}
