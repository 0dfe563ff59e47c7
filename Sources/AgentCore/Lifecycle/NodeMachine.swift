/// The life of a node as a pure value: events in, actions out. It reads no clock and owns no descriptor.
///
/// The table is the two files `NodeMachine+Handle` and `NodeMachine+Stopping`; every pair of state and event is
/// written out, and what should not happen is said (`OperatorMessage.unexpected`), never dropped.
package struct NodeMachine: Sendable {
    package internal(set) var state = NodeState.waiting
    package internal(set) var timeline = Timeline()
    /// The same start, phase by phase.
    var start = StartTimeline()
    package internal(set) var progress: LoadProgress?
    /// What earlier starts of this assignment took; nil when there was none.
    var expectation: StartExpectation?
    /// Of the start that is prepared or under way; nil where there was none.
    package internal(set) var preflight: PreflightReport?
    package internal(set) var restarts = RestartPolicy()
    /// The last failure, until an engine serves again or another assignment arrives.
    package internal(set) var failure: FailureReport?
    package internal(set) var failureExit: EngineExit?
    /// nil while the control plane answers.
    package internal(set) var controlPlaneError: String?
    /// When it last answered or took something; when this agent began where it has not since.
    var heardAt: BootInstant?
    /// nil while the node does not stand still because of that.
    package internal(set) var partition: Partition?
    /// nil while the state directory takes what is to be kept.
    package internal(set) var storageError: String?
    /// nil while events are taken.
    package internal(set) var deliveryError: String?
    /// When READY was sent for the engine that serves now.
    package internal(set) var readyAt: BootInstant?
    /// What the canary's own request took.
    package internal(set) var canaryTook: Duration?
    /// The generation that is prepared, runs or ends now.
    package internal(set) var generation: Int64 = 0
    /// Highest generation ever seen; older ones are stale.
    var newestGeneration: Int64 = 0
    /// The generation of the preparation that has not answered yet. Preparations write files, so there is one at a time.
    var preparationInFlight: Int64?
    var isPreparationAbandoned = false
    /// Wanted, or refused, while the engine of another assignment goes on; nil where there is none.
    package internal(set) var successor: Successor?
    /// What the start that is prepared or under way downloads, or did; nil where it downloads nothing.
    package internal(set) var download: ModelDownload?
    /// Of the start that serves; nil while nothing is known, and where no caches are carried.
    package internal(set) var caches: CacheVerdict?
    package internal(set) var rejectedFaults: [FieldFault] = []
    var rejectedGeneration: Int64?
    /// Everything the sources of notices have said.
    package internal(set) var notices = NoticeBoard()
    /// nil while nothing ends this node from outside.
    package internal(set) var preemption: Preemption?

    package let settings: LifecycleSettings

    package init(settings: LifecycleSettings = LifecycleSettings()) {
        self.settings = settings
    }

    package var assignment: Assignment? {
        switch state {
        case .preparing(let assignment), .backoff(let assignment, _), .failed(let assignment, _): assignment
        case .running(let run): run.assignment
        case .stopping(let stop): stop.assignment
        case .waiting, .leaving, .finished: nil
        }
    }
}
