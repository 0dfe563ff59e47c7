/// A duration that the log itself states, at its end.
struct StatedDuration: Equatable, Sendable {
    enum Subject: String, CaseIterable, Sendable {
        case modelMade = "Initializing model took"
        case streamed = "Overall time to stream"
        case weightsLoaded = "Loading weights took"
        case modelLoaded = "Model loading took"
        case compiled = "torch.compile took"
        case memoryProfiled = "Memory profiling takes"
        case captured = "Graph capturing finished in"
        case engineUp = "init engine took"

        /// After this it is said about something else.
        var closing: StartMilestone {
            switch self {
            case .modelMade, .streamed, .weightsLoaded, .modelLoaded: .warmingUp
            case .compiled, .memoryProfiled, .captured: .engineUp
            case .engineUp: .serverStarting
            }
        }
    }

    var subject: Subject
    var seconds: Double
    var at: BootInstant
    /// The line that states it has a time of its own.
    var isExact = true

    init?(_ fact: LogFact, at instant: BootInstant, isExact: Bool) {
        switch fact {
        case .modelInitialised(let seconds): self.init(.modelMade, seconds, instant)
        case .streamed(_, let seconds, _): self.init(.streamed, seconds, instant)
        case .weightsLoaded(let seconds): self.init(.weightsLoaded, seconds, instant)
        case .modelLoaded(_, let seconds?): self.init(.modelLoaded, seconds, instant)
        case .compiled(let seconds): self.init(.compiled, seconds, instant)
        case .memoryProfiled(let seconds): self.init(.memoryProfiled, seconds, instant)
        case .graphCaptured(let seconds): self.init(.captured, seconds, instant)
        case .engineInitialised(let seconds): self.init(.engineUp, seconds, instant)
        default: return nil
        }
        self.isExact = isExact
    }

    private init(_ subject: Subject, _ seconds: Double, _ instant: BootInstant) {
        self.subject = subject
        self.seconds = seconds
        at = instant
    }
}

/// What the log states beside what the signs show.
package struct CrossCheck: Equatable, Sendable {
    /// The engine's words.
    package var what: String
    package var stated: Double
    package var measured: Double

    package var difference: Double { measured - stated }
}

extension StartTimeline {
    /// Every statement that there is an independent measurement for.
    package var crossChecks: [CrossCheck] {
        StatedDuration.Subject.allCases.compactMap { subject in
            guard let duration = stated[subject], duration.isExact,
                let measured = subject == .compiled ? compilation : measured(duration)
            else { return nil }
            return CrossCheck(what: subject.rawValue, stated: duration.seconds, measured: measured)
        }
    }

    private func measured(_ duration: StatedDuration) -> Double? {
        guard let began = begin(of: duration.subject), began <= duration.at else { return nil }
        return (duration.at - began).inSeconds
    }

    /// All compilations together, as the statement has it.
    private var compilation: Double? {
        guard first(.warmingUp) == nil, findings.bytecodeSeconds != nil else { return nil }
        return compilations.reduce(0) { $0 + ($1.end.at - $1.begin.at).inSeconds }
    }

    /// Where a sign, not the statement itself, says that it began.
    private func begin(of subject: StatedDuration.Subject) -> BootInstant? {
        switch subject {
        case .modelMade, .modelLoaded: first(.loadStarted)?.at
        case .streamed: (first(.modelMade) ?? first(.weightsMoving))?.at
        case .weightsLoaded: first(.weightsMoving)?.at
        case .compiled: nil
        case .memoryProfiled: last(.modelLoaded)?.at
        case .captured: first(.capturing)?.at
        case .engineUp: (last(.modelLoaded) ?? firstOfInitialisation)?.at
        }
    }
}
