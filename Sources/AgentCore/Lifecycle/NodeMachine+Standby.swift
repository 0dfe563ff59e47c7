/// Whether an engine is to wait, all imported, for what comes next.
package enum StandbyWish: Equatable, Sendable {
    case parked
    /// A start has the processor, and the one that waited may be what starts.
    case untouched
    /// Its memory is given back.
    case none
}

extension NodeMachine {
    package var standby: StandbyWish {
        if isHeld { return .none }
        return switch state {
        case .waiting, .preparing, .backoff, .failed: .parked
        case .running(let run): run.stage == .serving ? .parked : .untouched
        case .stopping(let stop): stop.isReplaced ? .parked : .none
        case .leaving, .finished: .none
        }
    }
}

extension EngineStop {
    /// Another engine follows this one, while it is being buried.
    fileprivate var isReplaced: Bool {
        switch next {
        case .change, .recover: true
        case .leave, .hold: false
        }
    }
}
