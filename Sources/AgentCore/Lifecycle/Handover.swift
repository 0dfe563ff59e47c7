/// What an agent leaves to its successor about an engine that goes on without it.
package struct Handover: Equatable, Sendable {
    /// With its secrets: it is kept in memory only (tmpfs), beside the engine's environment.
    package var assignment: Assignment
    package var timeline: Timeline
    package var canaryTook: Duration?
    package var restarts: RestartPolicy

    package init(
        assignment: Assignment, timeline: Timeline, canaryTook: Duration? = nil,
        restarts: RestartPolicy = RestartPolicy()
    ) {
        self.assignment = assignment
        self.timeline = timeline
        self.canaryTook = canaryTook
        self.restarts = restarts
    }
}
