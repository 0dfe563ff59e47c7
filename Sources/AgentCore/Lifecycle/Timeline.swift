/// The marks of one start, in order of time, all on the boot clock.
package struct Timeline: Equatable, Sendable {
    package enum Source: String, Sendable {
        case agent
        case log
        case process
        case probe
    }

    package struct Mark: Equatable, Sendable {
        package var phase: Phase
        package var at: BootInstant
        package var source: Source
    }

    package private(set) var marks: [Mark] = []

    package init() {}

    /// The first word on a phase counts: workers repeat lines. Answers whether it was the first.
    @discardableResult
    package mutating func record(_ phase: Phase, at instant: BootInstant, source: Source) -> Bool {
        guard self[phase] == nil else { return false }
        let index = marks.firstIndex { instant < $0.at } ?? marks.endIndex
        marks.insert(Mark(phase: phase, at: instant, source: source), at: index)
        return true
    }

    /// Forgets a start that is being tried again; the assignment is the same.
    package mutating func forgetStart() {
        marks.removeAll { ![.agentStarted, .assignmentReceived].contains($0.phase) }
    }

    /// Forgets everything that belongs to an earlier assignment.
    package mutating func forgetAssignment() {
        marks.removeAll { $0.phase != .agentStarted }
    }

    package subscript(_ phase: Phase) -> BootInstant? {
        marks.first { $0.phase == phase }?.at
    }

    /// Seconds between two marks; nil unless both are there.
    package func seconds(from start: Phase, to end: Phase) -> Double? {
        guard let start = self[start], let end = self[end] else { return nil }
        return (end - start).inSeconds
    }
}
