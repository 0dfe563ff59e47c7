/// Work that is done once, whoever asks for it first; the others wait until it is done.
actor OnlyOnce {
    private enum State {
        case toDo
        case running([CheckedContinuation<Void, Never>])
        case done
    }

    private var state = State.toDo

    func run(_ work: @Sendable () async -> Void) async {
        switch state {
        case .done: return
        case .running(let waiting):
            await withCheckedContinuation { state = .running(waiting + [$0]) }
        case .toDo:
            state = .running([])
            await work()
            if case .running(let waiting) = state { for waiter in waiting { waiter.resume() } }
            state = .done
        }
    }
}
