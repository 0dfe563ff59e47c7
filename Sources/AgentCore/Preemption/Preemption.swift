/// The end that the node was told of, and how far it has come with it.
package struct Preemption: Equatable, Sendable {
    package enum Stage: Equatable, Sendable {
        /// Its time has not come: the model goes on serving.
        case announced
        /// Not ready any more; the requests in flight are being counted.
        case counting
        /// Requests in flight go on, new ones are refused or at least not asked for.
        case draining
        /// No engine is left, and the last word is said.
        case over
    }

    package var notice: Notice
    package var plan: DrainPlan
    package var stage = Stage.announced
    /// When the drain began, and with how many requests; nil where nobody could count them.
    package var beganAt: BootInstant?
    package var inFlight: Int?
    /// The last count.
    package var stillInFlight: Int?
    /// How long the engine goes on by itself after SIGTERM; nil for one that drops everything.
    package var engineDrains: Duration?
    /// An earlier agent had begun with it.
    package var isResumed = false

    package init(_ notice: Notice, plan: DrainPlan) {
        self.notice = notice
        self.plan = plan
    }

    /// Nothing is started any more.
    var holds: Bool { stage != .announced }
}

package enum PreemptionEvent: Equatable, Sendable {
    /// The machine knows where it is.
    case settled(CloudPlace)
    case found(SourceFinding, source: String)
    /// An agent before this one, on this boot, was told already. `isOver` when it had drained.
    case resumed(Notice, isOver: Bool)
    /// nil where the engine does not say. `engineDrains` as in `Preemption`.
    case counted(Int?, engineDrains: Duration?)
}

package enum PreemptionTimer: Hashable, Sendable {
    case begin
    case cut
    case count
    case lapse
}

package enum PreemptionAction: Equatable, Sendable {
    /// Before anything else, so that a successor knows.
    case persist(Notice, isOver: Bool)
    case forget
    case countRequests
    /// An engine of the agent before this one would live on: nothing is prepared that would end it.
    case removeLeftovers
    /// An event of a cloud that waits for a word may go ahead.
    case approve(noticeID: String)
    /// The node is done: a shutdown that waits for it may go on.
    case release
    /// The next shutdown is to wait again.
    case hold
}

/// What events say about a notice.
package struct PreemptionReport: Equatable, Sendable {
    package enum Status: String, Sendable {
        case pending
        case withdrawn
        case lapsed
        case advice
        case over
    }

    /// How the drain went.
    package struct Outcome: Equatable, Sendable {
        /// nil where nobody could count.
        package var finished: Int?
        package var cut: Int?
        package var used: Duration
        /// Negative when the time was over.
        package var left: Duration
    }

    package var status: Status
    package var notice: Notice
    /// When what still runs is cut; nil for what ends nothing.
    package var cut: BootInstant?
    package var inFlight: Int?
    package var isResumed = false
    package var outcome: Outcome?
    package var place: CloudPlace

    package init(_ status: Status, _ notice: Notice, place: CloudPlace) {
        self.status = status
        self.notice = notice
        self.place = place
    }
}

extension Report {
    package static func preemption(_ kind: ReportKind, _ said: PreemptionReport) -> Report {
        var report = Report(kind)
        report.preemption = said
        return report
    }

    package static func noticeSource(_ source: SourceHealth) -> Report {
        var report = Report(.noticeSource)
        report.source = source
        return report
    }
}

extension Report {
    /// Worth nothing in a minute.
    package var isUrgent: Bool {
        switch kind {
        case .preemption, .preempted, .preemptionWithdrawn: true
        default: false
        }
    }
}
