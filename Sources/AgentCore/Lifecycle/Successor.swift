/// The assignment that is to follow, while the engine of the one before it goes on.
package struct Successor: Equatable, Sendable {
    package enum Standing: Equatable, Sendable {
        /// It is found out whether it can work.
        case proving
        /// It could not now, and is tried again.
        case waiting(FailureReport)
        /// It cannot. What runs goes on.
        case refused(FailureReport)
    }

    package var assignment: Assignment
    /// When it came, which may be a whole drain before its engine is started.
    var receivedAt: BootInstant
    package var standing = Standing.proving
    package var preflight: PreflightReport?
    /// What it downloads beside the engine that runs; nil where it downloads nothing.
    package var download: ModelDownload?
    package var progress: LoadProgress?
    /// Proofs that failed.
    var tries = RestartPolicy()

    init(_ assignment: Assignment, receivedAt: BootInstant) {
        self.assignment = assignment
        self.receivedAt = receivedAt
    }

    /// nil while nothing speaks against it.
    package var failure: FailureReport? {
        switch standing {
        case .proving: nil
        case .waiting(let report), .refused(let report): report
        }
    }

    /// It follows as soon as the engine before it is gone, however that goes.
    var isWanted: Bool {
        if case .refused = standing { false } else { true }
    }
}
