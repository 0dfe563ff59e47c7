/// What has happened, in the past tense. Everything the machine ever learns comes through here.
package enum NodeEvent: Equatable, Sendable {
    case agentStarted

    case assignmentReceived(Assignment)
    case assignmentRejected(generation: Int64?, faults: [FieldFault])
    case assignmentRevoked
    case controlPlaneLost(reason: String)
    /// It has answered a poll.
    case controlPlaneFound
    /// It has taken an event or a heartbeat.
    case controlPlaneHeard

    /// What earlier starts of this kind took.
    case startExpected(generation: Int64, StartExpectation)
    /// Comes before `prepared` or `preparationFailed`, where there is a preflight.
    case preflightDone(generation: Int64, PreflightReport)
    /// The model is to be on the disk before the engine is started; told with a warm cache, too.
    case downloadBegan(generation: Int64, ModelDownload)
    /// Bytes that have come since it began.
    case downloadMoved(generation: Int64, bytes: UInt64)
    /// `engineDrains`: how long the engine goes on by itself after SIGTERM, zero for one that drops everything; nil
    /// where nobody knows.
    case prepared(generation: Int64, engineDrains: Duration? = nil)
    /// The answer to `prove`, where nothing speaks against it.
    case proved(generation: Int64)
    /// The answer to `abandonPreparation`; nothing of it is left but what a download has brought.
    case preparationAbandoned(generation: Int64)
    case preparationFailed(generation: Int64, FailureReport)

    /// An engine of an earlier agent was found. The first event of all where there is one.
    case engineAdopted(Handover, pid: Int32?, startedAt: BootInstant)
    case engineStarted(pid: Int32)
    case engineStartFailed(EngineStartFailure)
    /// A process of the engine other than the main one has ended.
    case engineProcessEnded(EngineProcess)
    case engineExited(EngineExit)
    case engineGone
    case engineProcessesSeen([EngineProcess])
    case engineMoved(EngineVitals)
    case logFact(LogFact)
    /// The log is read to its end and judged.
    case failureExplained(FailureReport)

    case healthAnswered(HealthAnswer)
    case canaryAnswered(took: Duration)
    case canaryFailed(reason: String)
    /// What the caches were good for that were carried for the engine that serves.
    case cachesJudged(generation: Int64, CacheVerdict)

    case timerFired(NodeTimer)
    case stopRequested
    /// The agent is to end and come back; the engine is not concerned.
    case restartRequested
    /// The outbox is empty.
    case eventsDelivered
    case readyAcknowledged
    /// Whether events and notices can be kept on disk; nil where they can.
    case storageChanged(problem: String?)
    /// Why events are not taken; nil where they are.
    case deliveryChanged(problem: String?)
    case preemption(PreemptionEvent)
}

package enum HealthAnswer: Equatable, Sendable {
    /// Nobody listens.
    case refused
    /// 200 from a listener that belongs to our engine.
    case healthy
    /// Any other status from our engine.
    case unhealthy(status: Int)
    /// Somebody else listens on the engine's port.
    case stranger(PortListener)
    /// No answer in time: busy or hung, not known which.
    case silent
}

package enum NodeTimer: Hashable, Sendable {
    case probe
    case canary
    case settle
    /// The engine's own time after SIGTERM fits into what is left of the drain.
    case ask
    /// The drain that an operator grants is over.
    case drained
    case secondTerminate
    case kill
    case leftovers
    case stuck
    case backoff
    case delivery
    case keepAlive
    /// The control plane has been away for as long as this node may serve without it.
    case partition
    case preemption(PreemptionTimer)
}

/// What to do, in the imperative. The shell performs each in one switch.
package enum NodeAction: Equatable, Sendable {
    case prepare(Assignment)
    /// All of it that needs neither the GPU nor the port nor the files of the engine that runs.
    case prove(Assignment)
    /// Its result is not wanted any more. It answers all the same: one at a time.
    case abandonPreparation
    case startEngine(generation: Int64)
    /// The engine goes on; what is on disk for it is written anew.
    case renewCredentials(Assignment)
    case probeHealth
    case sendCanary(model: String)
    case terminateEngine
    case killEngine
    /// Read the log to its end and judge why the engine failed, although its main process still runs. When that
    /// ends, the verdict comes unasked.
    case explainFailure
    case arm(NodeTimer, after: Duration)
    case cancel(NodeTimer)
    case notifyReady
    case notifyStopping
    /// A start that moves may take longer than systemd would wait.
    case extendStartTimeout
    case report(Report)
    /// Keep for the estimates of later starts.
    case remember(StartRecord)
    /// Keep for the tuning of later loads.
    case learn(LoadLesson, LoadKey)
    case tell(OperatorMessage)
    case preempt(PreemptionAction)
    /// End now and leave the engine to the successor.
    case handOver
    case finish
}

/// Events for the control plane. The raw value is the word in the CloudEvents type.
package enum ReportKind: String, Sendable {
    case agentStarted = "agent_started"
    case assignmentAccepted = "assignment_accepted"
    case assignmentRejected = "assignment_rejected"
    case phase
    case ready
    case failed
    case draining
    case stopped
    case revoked
    case preemption
    case preempted
    case preemptionAdvice = "preemption_advice"
    /// Taken back, or its time passed and the machine is still there.
    case preemptionWithdrawn = "preemption_withdrawn"
    /// Whether a source of notices can see.
    case noticeSource = "notice_source"
    /// Whether the engine that serves has used what was carried for it.
    case caches
}

package struct Report: Equatable, Sendable {
    package var kind: ReportKind
    package var failure: FailureReport?
    package var exit: EngineExit?
    package var faults: [FieldFault]
    /// The phase that has begun, for reports of one.
    package var phase: Phase?
    /// The generation that was rejected, where it could be read.
    package var rejectedGeneration: Int64?
    /// Whom a failure is about where that is not what the node runs.
    package var subject: Subject?
    package var preemption: PreemptionReport?
    /// Why the node drains or stops, as in `docs/contract.md`.
    package var reason: String?
    package var source: SourceHealth?
    package var caches: CacheVerdict?

    package init(
        _ kind: ReportKind, failure: FailureReport? = nil, exit: EngineExit? = nil, faults: [FieldFault] = []
    ) {
        self.kind = kind
        self.failure = failure
        self.exit = exit
        self.faults = faults
    }

    package static func ending(_ kind: ReportKind, because reason: String) -> Report {
        var report = Report(kind)
        report.reason = reason
        return report
    }

    package static func judged(_ caches: CacheVerdict) -> Report {
        var report = Report(.caches)
        report.caches = caches
        return report
    }

    package static func begun(_ phase: Phase) -> Report {
        var report = Report(.phase)
        report.phase = phase
        return report
    }

    package struct Subject: Equatable, Sendable {
        package var generation: Int64
        package var model: String
    }

    package static func failed(_ failure: FailureReport, of successor: Assignment) -> Report {
        var report = Report(.failed, failure: failure)
        report.subject = Subject(generation: successor.generation, model: successor.model)
        return report
    }

    package static func rejected(_ generation: Int64?, _ faults: [FieldFault]) -> Report {
        var report = Report(.assignmentRejected, faults: faults)
        report.rejectedGeneration = generation
        return report
    }
}

/// What operators are told. The words are chosen in the runtime.
package enum OperatorMessage: Equatable, Sendable {
    case waitingForAssignment
    case assignmentAccepted(generation: Int64, model: String)
    case assignmentRejected([FieldFault])
    case successorReceived(generation: Int64, model: String, current: Int64)
    case successorRefused(generation: Int64, current: Int64, FailureReport)
    case preflightDone(PreflightReport)
    case downloadBegan(ModelDownload)
    case cachesJudged(CacheVerdict)
    case staleAssignment(generation: Int64, current: Int64)
    case controlPlaneLost(reason: String)
    case controlPlaneFound
    case partitioned(silence: Duration)
    case revoked
    case engineStarted(pid: Int32)
    case engineAdopted(pid: Int32?, generation: Int64)
    case phase(Phase, afterExec: Double?)
    case canaryFailed(reason: String, attempt: Int)
    case ready(seconds: Double?)
    case failed(FailureReport, EngineExit?)
    case retrying(after: Duration, with: [SettingChange])
    case stopping(drainFor: Duration?)
    case engineKilled
    case engineSilent
    case engineGone
    case undelivered
    case notice(Notice, secondsLeft: Double)
    case advice(Notice)
    case spared(Notice, PreemptionReport.Status)
    case preempted(PreemptionReport)
    case noticeSource(SourceHealth)
    case unexpected(event: String, state: String)
}
